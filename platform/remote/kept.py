"""Keeping a run: it is published while this process writes it."""

import fcntl
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from trivium.platform.errors import RunFailed, UserError
from trivium.platform.remote.bucket import explain
from trivium.platform.remote.copies import (
    LOCK,
    NOBODY,
    copy_of,
    is_locked,
    publisher_of,
    publishers,
    tokens,
)
from trivium.platform.remote.publisher import WRITER, Publisher, writer_here, writer_of
from trivium.platform.remote.working_copy import WorkingCopy


@contextmanager
def kept(path: Path, say: Callable[[str], None] = print, heeds_stop: bool = True) -> Iterator[None]:
    """Within, the run at `path` is written here and published.

    On another machine than the driver's a process that `heeds_stop` looks for the driver's request
    to stop, each second: the others of a job need not.

    Raises:
        RunFailed: at the end, when the store could not be reached; nothing is lost here.
    """
    found = copy_of(path)
    if found is None:
        yield
        return
    copy, under = found
    _fetch_checkpoints(copy, under)
    if publisher_of(path) is not NOBODY:  # a child, published with its parent
        yield
        return
    token = tokens.get(copy.folder)
    lock = None if token else _take_turn(copy)
    publisher = Publisher(copy, under, token or writer_here(copy)["token"], say)
    if token is not None and heeds_stop:
        publisher.watch("stop")
    publishers[path.absolute()] = publisher
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
    if is_locked(copy):
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


def _end(path: Path, publisher: Publisher) -> OSError | None:
    problem = publisher.close()
    publishers.pop(path.absolute(), None)
    return problem


def _left_here(copy: WorkingCopy, problem: OSError) -> str:
    return (
        f"{explain(problem, copy.bucket)}. {copy.folder.name} could not be published whole; what "
        f"is in the store of it stays usable, and all of it lies in {copy.folder}: "
        f"`trivium publish {copy.folder.name} --store '{copy.bucket.shown}'` publishes it"
    )
