"""Taking a run to a worker: a ticket from the driver, and the run's folder where the worker is."""

import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trivium.platform.errors import UserError
from trivium.platform.remote.bucket import Bucket
from trivium.platform.remote.copies import copies, copy_of, publisher_of, publishers, stores, tokens
from trivium.platform.remote.kept import kept
from trivium.platform.remote.publisher import Publisher, writer_here
from trivium.platform.remote.reading import refreshed
from trivium.platform.state_file import allow_pickles, are_pickles_allowed

HERE = ".here"
"""Not published: a worker that finds it sees the driver's own folder."""


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
    publisher = publisher_of(path)
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
        stores.setdefault(top.parent, Bucket(ticket["uri"]))
        publishers.setdefault(top, None)
        return path
    root = Path(tempfile.mkdtemp(prefix="trivium-run-"))
    stores[root] = Bucket(ticket["uri"])
    folder = root / top.name
    tokens[folder] = ticket["token"]
    refreshed(folder / ticket["under"])
    return folder / ticket["under"]


def saved_step(ticket: dict[str, str]) -> int:
    """The step of the last checkpoint of the run of `ticket`, 0 before there is one.

    For a process on the driver's machine that follows the run without writing it.
    """
    from trivium.platform.run import RunFolder

    if "uri" in ticket:
        stores.setdefault(Path(ticket["top"]).parent, Bucket(ticket["uri"]))
    saved = RunFolder(Path(ticket["path"])).saved("last")
    return saved.step if saved else 0


@contextmanager
def visiting(ticket: dict[str, str], heeds_stop: bool = True) -> Iterator[Path]:
    """`arrive`, within which the run is kept, then `left`: the whole life of a training worker."""
    path = arrive(ticket)
    try:
        with kept(path, heeds_stop=heeds_stop):
            yield path
    finally:
        left(path)


def left(path: Path) -> None:
    """The worker is done with a run that `arrive` gave it: a copy that is published goes away."""
    found = copy_of(path)
    if found is None or found[0].folder not in tokens:
        return
    copy, under = found
    if copy.is_published(under):
        for known in (tokens, copies):
            known.pop(copy.folder, None)
        stores.pop(copy.folder.parent, None)
        shutil.rmtree(copy.folder.parent, ignore_errors=True)
