"""Whether the store can be used: a folder here, or a remote one that answers and can be written."""

import secrets
from pathlib import Path

from trivium.platform.errors import TriviumError
from trivium.platform.health.check import Check
from trivium.platform.health.machine import folder
from trivium.platform.remote.bucket import Bucket, explain, is_uri

_ANOTHER = "choose another with --store PLACE or TRIVIUM_STORE"


def store(place: Path | str) -> Check:
    """The store at `place`."""
    if not is_uri(str(place)):
        return folder("store", Path(place), _ANOTHER)
    try:
        bucket = Bucket(str(place))
        mark = f".probe/{secrets.token_hex(8)}"
        try:
            bucket.put(mark, b"1")
            bucket.delete(mark)
        except OSError as error:
            raise explain(error, bucket) from None
    except TriviumError as error:
        return Check("store", "fail", str(error), _ANOTHER)
    return Check("store", "ok", f"{bucket.shown}: answers, can be written")
