"""What a working copy remembers of each file: how it was here and there when both were equal.

Kept as `.sync.json` in the run's local folder, so that a later process knows what is not published.
"""

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from trivium.platform.remote.bucket import Stat

RECORD = ".sync.json"
_SETTLED_S = 2.0
"""Stores tell times in whole seconds: a file this young may change again within the same one."""


class Record:
    """Of one run's folder, children included; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        content: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        self._files: dict[str, list[int]] = content.get("files", {})
        self._checkpoints: dict[str, dict[str, Any]] = content.get("checkpoints", {})

    def is_changed_here(self, relative: str) -> bool:
        """The file exists here and is not as it was published or fetched."""
        here = self._stat(relative)
        return here is not None and self._files.get(relative, [0, 0])[:2] != here

    def is_current(self, relative: str, stat: Stat) -> bool:
        """The file here is the one that the store lists as `stat`."""
        known = self._files.get(relative)
        is_same = known is not None and known[2:] == [stat.mtime_ns, stat.num_bytes]
        return is_same and self._stat(relative) is not None

    def known(self) -> list[str]:
        """All files that were published or fetched."""
        with self._lock:
            return list(self._files)

    def note(self, relative: str, here: list[int], there: Stat, *, is_ours: bool) -> None:
        """The file here, as `here`, and the one in the store are the same."""
        is_young = time.time() - there.mtime_ns / 1e9 < _SETTLED_S
        mtime_ns = 0 if is_young and not is_ours else there.mtime_ns
        with self._lock:
            self._files[relative] = [*here, mtime_ns, there.num_bytes]

    def forget(self, relative: str) -> None:
        """The file is in the store no more."""
        with self._lock:
            self._files.pop(relative, None)

    def checkpoint(self, relative: str) -> dict[str, Any]:
        """Of a checkpoint: `here`, the stamp of its manifest, and `folder`, its place there."""
        return self._checkpoints.get(relative, {})

    def note_checkpoint(self, relative: str, here: list[int], folder: str) -> None:
        """The checkpoint here, whose manifest has the stamp `here`, lies there in `folder`."""
        with self._lock:
            self._checkpoints[relative] = {"here": here, "folder": folder}

    def save(self) -> None:
        """Write the record to the run's folder."""
        if not self._folder.is_dir():
            return
        with self._lock:
            content = {"files": self._files, "checkpoints": self._checkpoints}
            temporary = self._folder / f"{RECORD}.{os.getpid()}"
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(self._folder / RECORD)

    def _stat(self, relative: str) -> list[int] | None:
        return stamp(self._folder / relative)


def stamp(file: Path) -> list[int] | None:
    """Time of change and size of a file here, None when there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]
