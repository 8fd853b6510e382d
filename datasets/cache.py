"""Where prepared data sets lie, and what identifies the bytes that they came from.

`<root>/datasets/<fingerprint>/` holds one prepared data set; `<root>/content/` remembers the hash
of each file read, by path, size and time of change, so that a second run need not read it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import mkdtemp

from trivium.platform.cache_root import cache_root
from trivium.platform.errors import UserError

_ABANDONED_S = 24 * 3600.0
_SETTLED_S = 2.0  # a file changed later than this may change again within one tick of its clock


def content_hash(files: Iterable[Path]) -> str:
    """Hash of the bytes of `files` in their order; reads only what has changed since last time."""
    whole = hashlib.blake2b(digest_size=16)
    for file in files:
        whole.update(_file_hash(file.resolve()).encode())
    return whole.hexdigest()


def _file_hash(file: Path) -> str:
    stat = file.stat()
    state = [str(file), stat.st_size, stat.st_mtime_ns]
    name = hashlib.blake2b(str(file).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    memo = cache_root() / "content" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(memo.read_text())
        if known["state"] == state:
            return str(known["hash"])
    with file.open("rb") as f:
        digest = hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    if time.time() - stat.st_mtime > _SETTLED_S:
        make_folder(memo.parent)
        partial = memo.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"state": state, "hash": digest}))
        partial.replace(memo)
    return digest


def built_folder(fingerprint: str, build: Callable[[Path], None]) -> Path:
    """The folder of the data set `fingerprint`, filled by `build` when it is not there yet.

    Two processes may build the same at once: each in a folder of its own, the first to finish
    gives it its name.
    """
    folder = cache_root() / "datasets" / fingerprint
    if (folder / "meta.json").is_file():
        return folder
    make_folder(folder.parent)
    _remove_abandoned(folder.parent)
    partial = Path(mkdtemp(prefix=f".{fingerprint}-", dir=folder.parent))
    try:
        build(partial)
        with contextlib.suppress(OSError):  # another process was first; its bytes are the same
            partial.rename(folder)
        if not folder.is_dir():
            raise UserError(f"cannot make {folder}; is a file of that name in the way?")
    except OSError as error:
        raise UserError(
            f"cannot write the prepared data to {partial}: {error.strerror or error}; "
            "set TRIVIUM_CACHE to a folder with more room"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed process has left half-built: nothing is built for a day."""
    for partial in folder.glob(".*-*"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(partial, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, or say that the cache needs another place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write the data cache {folder}: {error.strerror}; "
            "set TRIVIUM_CACHE to a folder that can be written"
        ) from None
