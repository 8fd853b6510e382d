"""Checkpoints that a kill at any moment cannot spoil.

A checkpoint is a folder with any files and a `manifest.json` that lists their sizes and digests.
It is written under a temporary name and renamed; the one before it is kept until then. Reading
takes the newest one that its manifest proves whole.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trivium.platform.errors import RunFailed

MANIFEST = "manifest.json"
_NO_ROOM_BYTES = 2**16
"""torch says of a full disk only that it failed to write."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was proven whole."""

    path: Path
    step: int
    num_reports: int = 0
    """Lines of metrics.jsonl that had been reported when it was written."""


def write_checkpoint(
    folder: Path, name: str, step: int, fill: Callable[[Path], None], num_reports: int = 0
) -> None:
    """Write checkpoint `name` under `folder`; `fill(path)` puts its files into `path`.

    Raises:
        RunFailed: the disk is full or refuses to write; the checkpoint before is intact.
    """
    new, current, old = (folder / n for n in (f".{name}.new", name, f".{name}.old"))
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        fill(new)
        _write_manifest(new, step, num_reports)
        shutil.rmtree(old, ignore_errors=True)
        if current.exists():
            current.rename(old)
        new.rename(current)
        shutil.rmtree(old, ignore_errors=True)
    except Exception as error:
        reason = _reason(error, folder)
        shutil.rmtree(new, ignore_errors=True)
        if reason is None:
            raise
        raise RunFailed(
            f"checkpoint {current} could not be written: {reason}. The checkpoint before it is "
            f"intact: make room and resume the run."
        ) from error


def is_disk_full(error: BaseException | None) -> bool:
    """Whether `error` comes of a full disk; safetensors raises one of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        if "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: Exception, folder: Path) -> str | None:
    """Why the disk did not take a file; None when the error is none of the disk's."""
    is_full = isinstance(error, RuntimeError) and shutil.disk_usage(folder).free < _NO_ROOM_BYTES
    if is_full or is_disk_full(error):
        return "the disk is full"
    return (error.strerror or str(error)) if isinstance(error, OSError) else None


def read_checkpoint(folder: Path, name: str) -> Checkpoint | None:
    """The newest whole checkpoint `name` under `folder`, or None.

    A torn one (killed while writing, cut short by a full disk) is passed over.
    """
    found = [_prove(folder / n) for n in (name, f".{name}.new", f".{name}.old")]
    whole = [c for c in found if c is not None]
    return max(whole, key=lambda c: (c.step, c.num_reports)) if whole else None


def copy_checkpoint(folder: Path, source: str, target: str, into: Path | None = None) -> None:
    """Make checkpoint `target`, of this folder or of `into`, equal to `source`.

    By hard links where the file system has them; nothing happens when there is no `source`.
    """
    checkpoint = read_checkpoint(folder, source)
    if checkpoint is None:
        return
    origin = checkpoint.path

    def fill(path: Path) -> None:
        for file in origin.iterdir():
            if file.name != MANIFEST:
                link_or_copy(file, path / file.name)

    write_checkpoint(into or folder, target, checkpoint.step, fill, checkpoint.num_reports)


def link_or_copy(source: Path, target: Path) -> None:
    """`target` with the content of `source`; neither is changed in place later."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _write_manifest(path: Path, step: int, num_reports: int) -> None:
    files = {f.name: [f.stat().st_size, digest(f)] for f in sorted(path.iterdir())}
    with (path / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump({"step": step, "num_reports": num_reports, "files": files}, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _prove(path: Path) -> Checkpoint | None:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        for name, (size, proof) in manifest["files"].items():
            file = path / name
            if file.stat().st_size != size or digest(file) != proof:
                return None
        return Checkpoint(path, int(manifest["step"]), int(manifest["num_reports"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(file: Path) -> str:
    """What the manifest proves a file by."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
