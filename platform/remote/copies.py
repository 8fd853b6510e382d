"""Which folders of this process stand for stores elsewhere, and who publishes what is in them.

A run is always written and read in a local folder. For a store that is a local folder, nothing in
`trivium.platform.remote` does anything.
"""

import fcntl
import hashlib
import re
from pathlib import Path

from trivium.platform.cache_root import cache_root
from trivium.platform.remote.bucket import Bucket
from trivium.platform.remote.publisher import Publisher
from trivium.platform.remote.working_copy import WorkingCopy

LOCK = ".lock"

stores: dict[Path, Bucket] = {}
copies: dict[Path, WorkingCopy] = {}
publishers: dict[Path, Publisher | None] = {}
"""Folders that are published now: by a thread of this process, or (None) by another process."""
tokens: dict[Path, str] = {}
"""Of working copies that `arrive` made: the turn that they are written in."""


class Nobody:
    """Stands for the publisher of a run that nobody publishes."""


NOBODY = Nobody()


def open_store(uri: str) -> tuple[Path, Bucket]:
    """The local folder that stands for the store at `uri`, and the store."""
    bucket = Bucket(uri)
    readable = re.sub(r"[^\w.-]+", "-", bucket.shown.partition("?")[0].partition("://")[2])
    mark = hashlib.blake2b(bucket.shown.encode(), digest_size=4).hexdigest()
    root = (cache_root() / "stores" / f"{readable.strip('-')[:60]}-{mark}").absolute()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root, stores.setdefault(root, bucket)


def copy_of(path: Path) -> tuple[WorkingCopy, str] | None:
    """The working copy that a run's folder belongs to, and its place in it; None when local."""
    if not stores:
        return None
    absolute = path.absolute()
    for root in absolute.parents:
        bucket = stores.get(root)
        if bucket is not None:
            top, *rest = absolute.relative_to(root).parts
            copy = copies.get(root / top)
            if copy is None:
                copy = copies[root / top] = WorkingCopy(bucket, root / top)
            return copy, "/".join(rest)
    return None


def place_of(path: Path) -> str:
    """Where a run lies, for people: its folder, or its address in a remote store."""
    found = copy_of(path)
    if found is None:
        return str(path)
    copy, under = found
    return f"{copy.address(under)} (here: {path})"


def publisher_of(path: Path) -> Publisher | Nobody | None:
    """Who publishes the run at `path` now; None is another process of this machine."""
    absolute = path.absolute()
    for folder in (absolute, *absolute.parents):
        if folder in publishers:
            return publishers[folder]
    return NOBODY


def is_locked(copy: WorkingCopy) -> bool:
    """Another process of this machine writes and publishes the run."""
    try:
        with (copy.folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
