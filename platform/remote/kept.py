"""Which folders of this process are working copies of runs in a remote store, and who keeps them.

A run is always written and read in a local folder. For a store that is a local folder, nothing
here does anything. For a remote one, `kept` publishes a run while it is written, `refreshed` and
`checkpoint_fetched` bring what a reader needs, and `ticket_of` and `arrive` take a run to a worker
on another machine.
"""

import fcntl
import hashlib
import json
import re
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from trivium.platform.cache_root import cache_root
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.remote.bucket import Bucket, explain
from trivium.platform.remote.publisher import WRITER, Publisher, writer_here, writer_of
from trivium.platform.remote.working_copy import WorkingCopy
from trivium.platform.state_file import allow_pickles, are_pickles_allowed

LOCK = ".lock"
HERE = ".here"

_stores: dict[Path, Bucket] = {}
_copies: dict[Path, WorkingCopy] = {}
_publishers: dict[Path, Publisher | None] = {}
"""Folders that are published now: by a thread of this process, or (None) by another process."""
_tokens: dict[Path, str] = {}
"""Of working copies that `arrive` made: the turn that they are written in."""


def open_store(uri: str) -> tuple[Path, Bucket]:
    """The local folder that stands for the store at `uri`, and the store."""
    bucket = Bucket(uri)
    readable = re.sub(r"[^\w.-]+", "-", bucket.shown.partition("?")[0].partition("://")[2])
    mark = hashlib.blake2b(bucket.shown.encode(), digest_size=4).hexdigest()
    root = (cache_root() / "stores" / f"{readable.strip('-')[:60]}-{mark}").absolute()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root, _stores.setdefault(root, bucket)


def copy_of(path: Path) -> tuple[WorkingCopy, str] | None:
    """The working copy that a run's folder belongs to, and its place in it; None when local."""
    if not _stores:
        return None
    absolute = path.absolute()
    for root in absolute.parents:
        bucket = _stores.get(root)
        if bucket is not None:
            top, *rest = absolute.relative_to(root).parts
            copy = _copies.get(root / top)
            if copy is None:
                copy = _copies[root / top] = WorkingCopy(bucket, root / top)
            return copy, "/".join(rest)
    return None


def place_of(path: Path) -> str:
    """Where a run lies, for people: its folder, or its address in a remote store."""
    found = copy_of(path)
    if found is None:
        return str(path)
    copy, under = found
    return f"{copy.address(under)} (here: {path})"


@contextmanager
def kept(path: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Within, the run at `path` is written here and published.

    Raises:
        RunFailed: at the end, when the store could not be reached; nothing is lost here.
    """
    found = copy_of(path)
    if found is None:
        yield
        return
    copy, under = found
    _fetch_checkpoints(copy, under)
    if _publisher(path) is not _NOBODY:  # a child, published with its parent
        yield
        return
    token = _tokens.get(copy.folder)
    lock = None if token else _take_turn(copy)
    publisher = Publisher(copy, under, token or writer_here(copy)["token"], say)
    if token is not None:
        publisher.watch("stop")
    _publishers[path.absolute()] = publisher
    publisher.start()
    try:
        try:
            yield
        except BaseException:
            problem = _end(path, publisher)
            if problem is not None:
                say(_left_here(copy, problem))
            raise
        problem = _end(path, publisher)
        if problem is not None:
            raise RunFailed(_left_here(copy, problem))
    finally:
        if lock is not None:
            lock.close()


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
        if _publisher(path) is _NOBODY:
            if _is_locked(copy):
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
    if not _is_locked(copy):
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
    if found is None or _publisher(path) is not _NOBODY or _is_locked(found[0]):
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


def returned(path: Path) -> None:
    """Bring what workers on other machines wrote of the run at `path`, which this process keeps."""
    found = copy_of(path)
    if found is None:
        return
    copy, under = found
    try:
        copy.fetch(under)
        for name in ("best", "last"):
            copy.fetch_checkpoint(under, name)
    except OSError as error:
        raise explain(error, copy.bucket) from None


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
                if not _is_locked(copy):
                    copy.pull(f"{under}/{name}".lstrip("/") for name in names)

    thread = threading.Thread(target=follow, name="follower", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()


def ticket_of(path: Path) -> dict[str, str]:
    """What a worker needs to find the run at `path`, on this machine or on another one."""
    found = copy_of(path)
    top = found[0].folder if found else path.absolute()
    mark = top / HERE
    if not mark.exists():
        mark.write_text(secrets.token_hex(8))
    ticket = {"path": str(path.absolute()), "mark": mark.read_text(), "top": str(top)}
    ticket["pickles"] = "allowed" if are_pickles_allowed() else ""
    if found is None:
        return ticket
    copy, under = found
    publisher = _publisher(path)
    if isinstance(publisher, Publisher):
        publisher.watch("workers/0.txt")
        publisher.send_now()
    token = writer_here(copy).get("token", "")
    return ticket | {"uri": copy.bucket.uri, "under": under, "token": token}


def arrive(ticket: dict[str, str]) -> Path:
    """The run's folder for this worker: the driver's own where it can be seen, else a new copy.

    Raises:
        UserError: the store is a folder that this machine does not see.
    """
    path, top = Path(ticket["path"]), Path(ticket["top"])
    if ticket["pickles"]:
        allow_pickles()
    is_seen = (top / HERE).is_file() and (top / HERE).read_text() == ticket["mark"]
    if "uri" not in ticket:
        if not is_seen:
            raise UserError(
                f"{path} cannot be seen on {socket.gethostname()}: with workers on several "
                "machines the store must be remote (--store s3://bucket/path) or on a disk that "
                "all of them share"
            )
        return path
    if is_seen:
        _stores.setdefault(top.parent, Bucket(ticket["uri"]))
        _publishers.setdefault(top, None)
        return path
    root = Path(tempfile.mkdtemp(prefix="trivium-run-"))
    _stores[root] = Bucket(ticket["uri"])
    folder = root / top.name
    _tokens[folder] = ticket["token"]
    refreshed(folder / ticket["under"])
    return folder / ticket["under"]


@contextmanager
def visiting(ticket: dict[str, str]) -> Iterator[Path]:
    """`arrive`, within which the run is kept, then `left`: the whole life of a training worker."""
    path = arrive(ticket)
    try:
        with kept(path):
            yield path
    finally:
        left(path)


def left(path: Path) -> None:
    """The worker is done with a run that `arrive` gave it: a copy that is published goes away."""
    found = copy_of(path)
    if found is None or found[0].folder not in _tokens:
        return
    copy, under = found
    if copy.is_published(under):
        for known in (_tokens, _copies):
            known.pop(copy.folder, None)
        _stores.pop(copy.folder.parent, None)
        shutil.rmtree(copy.folder.parent, ignore_errors=True)


def added(path: Path) -> None:
    """Send a file or folder that was added to a run whose writing is over; a video, an export.

    Raises:
        StoreError, RunFailed: the store does not take it; it lies here all the same.
    """
    found = copy_of(path)
    if found is None:
        return
    copy, under = found
    try:
        copy.publish(under)
    except OSError as error:
        raise explain(error, copy.bucket) from None


def publish_left(path: Path) -> bool:
    """Publish what an earlier process left here; False when there was nothing.

    Raises:
        UserError: the run went on elsewhere since.
        RunFailed: the store does not take it.
    """
    found = copy_of(path)
    if found is None:
        raise UserError(f"{path}: lies in a local store; there is nothing to publish")
    copy, _ = found
    if _is_locked(copy):
        raise UserError(f"{copy.folder.name} is being written and published by another process")
    try:
        theirs, ours = writer_of(copy), writer_here(copy)
        if theirs and theirs.get("token") not in (ours.get("token"), ours.get("after")):
            raise UserError(
                f"{copy.folder.name} went on elsewhere ({theirs.get('host')}, since "
                f"{theirs.get('since')}); what is in {copy.folder} is older and stays there"
            )
        if copy.is_published():
            return False
        copy.publish()
    except OSError as error:
        raise explain(error, copy.bucket) from None
    return True


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


class _Nobody:
    """Stands for the publisher of a run that nobody publishes."""


_NOBODY = _Nobody()


def _publisher(path: Path) -> Publisher | _Nobody | None:
    absolute = path.absolute()
    for folder in (absolute, *absolute.parents):
        if folder in _publishers:
            return _publishers[folder]
    return _NOBODY


def _fetch_checkpoints(copy: WorkingCopy, under: str) -> None:
    if not (copy.folder / WRITER).is_file():
        return  # a new run
    try:
        for name in ("best", "last"):
            copy.fetch_checkpoint(under, name)
    except OSError as error:
        raise explain(error, copy.bucket) from None


def _take_turn(copy: WorkingCopy) -> IO[bytes]:
    """From now on this process writes the run: nobody else on this machine, nor elsewhere."""
    lock = (copy.folder / LOCK).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(f"{copy.folder.name} is being written by another process here") from None
    turn = {
        "token": secrets.token_hex(8),
        "after": writer_here(copy).get("token", ""),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    (copy.folder / WRITER).write_text(json.dumps(turn) + "\n", encoding="utf-8")
    return lock


def _is_locked(copy: WorkingCopy) -> bool:
    """Another process of this machine writes and publishes the run."""
    try:
        with (copy.folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


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


def _end(path: Path, publisher: Publisher) -> OSError | None:
    problem = publisher.close()
    _publishers.pop(path.absolute(), None)
    return problem


def _left_here(copy: WorkingCopy, problem: OSError) -> str:
    return (
        f"{explain(problem, copy.bucket)}. {copy.folder.name} could not be published whole; what "
        f"is in the store of it stays usable, and all of it lies in {copy.folder}: "
        f"`trivium publish {copy.folder.name} --store '{copy.bucket.shown}'` publishes it"
    )
