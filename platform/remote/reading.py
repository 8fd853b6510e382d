"""Reading a remote store: what is asked for is fetched into the folder that stands for it."""

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivium.platform.remote.bucket import explain
from trivium.platform.remote.copies import NOBODY, copy_of, is_locked, publisher_of
from trivium.platform.remote.publisher import WRITER, writer_here, writer_of
from trivium.platform.remote.working_copy import WorkingCopy


def refreshed(path: Path) -> None:
    """Bring what the store has newer of the run at `path`, unless it is written on this machine.

    Raises:
        StoreError, RunFailed: the store cannot be read.
    """
    found = copy_of(path)
    if found is None:
        return
    copy, under = found
    try:
        if publisher_of(path) is NOBODY:
            if is_locked(copy):
                return
            _set_aside(copy)
        copy.fetch(under)
    except OSError as error:
        raise explain(error, copy.bucket) from None


def listed(path: Path) -> None:
    """Bring what a list of runs says of the run at `path`; of one that ended well, two files.

    Raises:
        StoreError, RunFailed: the store cannot be read.
    """
    found = copy_of(path)
    if found is None or _is_finished(path):
        return
    copy, _ = found
    if not is_locked(copy):
        try:
            copy.pull(["run.json", "result.json"])
            if _kind(path) == "tune":
                copy.pull(["sweep.json", "metrics.jsonl"])
        except OSError as error:
            raise explain(error, copy.bucket) from None
    if not _is_finished(path):
        refreshed(path)


def checkpoint_fetched(path: Path, name: str) -> None:
    """Bring the checkpoint `name` of the run at `path` when the store's is newer.

    Does nothing for a run that this process writes: ours is the newer one, and training must not
    wait for the store.
    """
    found = copy_of(path)
    if found is None or publisher_of(path) is not NOBODY or is_locked(found[0]):
        return
    copy, under = found
    try:
        copy.fetch_checkpoint(under, name)
    except OSError as error:
        raise explain(error, copy.bucket) from None


def checkpoint_published(path: Path, name: str) -> dict[str, Any] | None:
    """The manifest of the checkpoint that counts in a remote store, and its `address` there."""
    found = copy_of(path)
    if found is None:
        return None
    copy, under = found
    try:
        manifest = copy.published_checkpoint(under, name)
    except OSError as error:
        raise explain(error, copy.bucket) from None
    address = copy.address(under, "checkpoints", name)
    return None if manifest is None else manifest | {"address": address}


@contextmanager
def followed(path: Path, names: Sequence[str], every_s: float = 5.0) -> Iterator[None]:
    """Within, files of a run that another machine writes are brought again and again."""
    found = copy_of(path)
    if found is None:
        yield
        return
    copy, under = found
    ending = threading.Event()

    def follow() -> None:
        while not ending.wait(every_s):
            with suppress(OSError):  # the store is asked again soon
                if not is_locked(copy):
                    copy.pull(f"{under}/{name}".lstrip("/") for name in names)

    thread = threading.Thread(target=follow, name="follower", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()


def _set_aside(copy: WorkingCopy) -> None:
    """Move our files away when the run went on elsewhere while ours were not all published."""
    if not (copy.folder / WRITER).is_file():
        return
    theirs, ours = writer_of(copy), writer_here(copy)
    if not theirs or theirs.get("token") in (ours.get("token"), ours.get("after")):
        return
    if copy.is_published():
        return
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = copy.folder.parent / f".aside-{copy.folder.name}-{now}"
    copy.folder.rename(aside)
    copy.start_anew()
    print(
        f"note: {copy.folder.name} went on elsewhere ({theirs.get('host')}); what was written here "
        f"and not published is kept in {aside}",
        file=sys.stderr,
    )


def _is_finished(path: Path) -> bool:
    """Known here to have ended well: it never changes again."""
    return _info(path).get("status") == "finished" and (path / "result.json").is_file()


def _kind(path: Path) -> str:
    return str(_info(path).get("kind"))


def _info(path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return info
