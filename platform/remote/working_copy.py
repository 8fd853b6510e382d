"""A run of a remote store as a folder here: files are written and read here, and copied to or from.

In the store a run has the same files under the same names, but for checkpoints. There is no rename
in an object store, so a checkpoint's files go to a folder of their own,
`checkpoints/last.STEP-DIGEST/`, and `checkpoints/last/manifest.json`, written after them, says
which folder is meant: until then the checkpoint before it counts. Files that begin with a dot stay
here. `run.json` is written last, so that a run which says it finished has all of its files.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trivium.platform.checkpoint import (
    MANIFEST,
    digest,
    link_or_copy,
    read_checkpoint,
    write_checkpoint,
)
from trivium.platform.errors import RunFailed
from trivium.platform.remote.bucket import Bucket, Stat
from trivium.platform.remote.record import Record, stamp

CHECKPOINTS = "checkpoints"
_LAST = "run.json"
_HEAVY = frozenset({CHECKPOINTS, "tensorboard", "export"})
"""Folders that reading a run does not need; checkpoints are fetched one by one."""
_TRIES = 3
_REST = 10.0
"""A growing file rests so many times the seconds that sending it took, and at least 2 s."""


class WorkingCopy:
    """The folder here of one top-level run (children lie inside) and its counterpart."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.bucket, self.folder = bucket, folder
        self.start_anew()

    def start_anew(self) -> None:
        """Know only what the folder has on record; also called when the folder was moved away."""
        self._record = Record(self.folder)
        self._due: dict[str, float] = {}
        self._seen: set[str] = set()
        self._tidied: set[str] = set()
        self.look_s = 0.0
        """How long it took to look through the folder last time."""

    def address(self, *parts: str) -> str:
        """Where something of the run lies in the store, for people."""
        uri, query, rest = self.bucket.shown.partition("?")
        return f"{_join(uri, self.folder.name, *parts)}{query}{rest}"

    # From the store to here.

    def fetch(self, under: str = "") -> None:
        """Bring every small file that is newer there; what was changed here only stays."""
        found = {
            _join(under, k): stat
            for k, stat in self.bucket.files(_join(self.folder.name, under)).items()
        }
        self._bring({k: stat for k, stat in found.items() if _is_small(k)})
        for relative in self._record.known():
            is_under = not under or relative.startswith(f"{under}/")
            if is_under and relative not in found and not self._record.is_changed_here(relative):
                (self.folder / relative).unlink(missing_ok=True)
                self._record.forget(relative)
        self._record.save()

    def pull(self, relatives: Iterable[str]) -> None:
        """The same for a few files by name."""
        keys = {_join(self.folder.name, r): r for r in relatives}
        found = self.bucket.stats(keys) if keys else {}
        self._bring({keys[k]: stat for k, stat in found.items()})

    def fetch_checkpoint(self, under: str, name: str) -> None:
        """Bring checkpoint `name` of the run at `under` when the store's is newer than ours.

        Raises:
            RunFailed: what the store has is not whole.
        """
        relative = _join(under, CHECKPOINTS, name)
        for _ in range(_TRIES):
            manifest = self.published_checkpoint(under, name)
            if manifest is None or not self._is_newer_there(relative, manifest):
                return
            try:
                self._take(relative, manifest)
            except FileNotFoundError:  # a newer one has just taken its place
                continue
            self._record.save()
            return
        raise RunFailed(f"{self.address(relative)}: its files are missing in the store")

    def published_checkpoint(self, under: str, name: str) -> dict[str, Any] | None:
        """The manifest of the checkpoint `name` that counts in the store."""
        key = _join(self.folder.name, under, CHECKPOINTS, name, MANIFEST)
        content = self.bucket.get(key)
        if content is None:
            return None
        try:
            manifest: dict[str, Any] = json.loads(content)
            names = [manifest["folder"], *manifest["files"]]
            int(manifest["step"]), int(manifest["num_reports"])
        except (ValueError, KeyError, TypeError):
            raise RunFailed(f"{self.address()}: {key} is not a checkpoint's manifest") from None
        if any("/" in n or not is_safe(n) for n in names):
            raise RunFailed(f"{self.address()}: {key} names files outside of its folder")
        return manifest

    def _bring(self, found: dict[str, Stat]) -> None:
        wanted = [
            relative
            for relative, stat in found.items()
            if is_safe(relative)
            and not self._record.is_current(relative, stat)
            and not self._record.is_changed_here(relative)
        ]

        def bring(relative: str) -> None:
            file, stat = self.folder / relative, found[relative]
            with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                self.bucket.download(_join(self.folder.name, relative), file)
                os.utime(file, ns=(stat.mtime_ns, stat.mtime_ns))
                here = stamp(file)
                if here is not None:
                    self._record.note(relative, here, stat, is_ours=False)

        list(self.bucket.each(bring, wanted))

    def _is_newer_there(self, relative: str, manifest: dict[str, Any]) -> bool:
        known = self._record.checkpoint(relative)
        here = _stamp_of_checkpoint(self.folder / relative)
        own = read_checkpoint((self.folder / relative).parent, Path(relative).name)
        if own is None:
            return True
        if here == known.get("here"):  # ours was published or fetched
            return bool(known.get("folder") != manifest["folder"])
        return (own.step, own.num_reports) < (manifest["step"], manifest["num_reports"])

    def _take(self, relative: str, manifest: dict[str, Any]) -> None:
        target = self.folder / relative
        aside = target.parent / f".fetch-{target.name}"
        shutil.rmtree(aside, ignore_errors=True)
        source = _join(self.folder.name, str(Path(relative).parent), manifest["folder"])

        def bring(name: str) -> None:
            self.bucket.download(f"{source}/{name}", aside / name)

        list(self.bucket.each(bring, manifest["files"]))
        for name, (num_bytes, proof) in manifest["files"].items():
            file = aside / name
            if file.stat().st_size != num_bytes or digest(file) != proof:
                raise RunFailed(f"{self.address(relative, name)}: is not what was published")

        def fill(path: Path) -> None:
            for name in manifest["files"]:
                (aside / name).replace(path / name)

        write_checkpoint(
            target.parent, target.name, int(manifest["step"]), fill, int(manifest["num_reports"])
        )
        shutil.rmtree(aside, ignore_errors=True)
        here = _stamp_of_checkpoint(target)
        if here is not None:
            self._record.note_checkpoint(relative, here, manifest["folder"])

    # From here to the store.

    def publish(self, under: str = "", *, is_final: bool = True) -> None:
        """Send what was changed here; unless `is_final`, growing files have their rest."""
        began = time.monotonic()
        files, checkpoints = self._walk(under)
        self.look_s = time.monotonic() - began
        snapshots = [s for c in checkpoints if (s := self._snapshot(c)) is not None]
        # A run goes on from its checkpoint with the lines reported before it.
        needed = {_join(str(Path(s.relative).parents[1]), "metrics.jsonl") for s in snapshots}
        now = time.monotonic()
        changed = [
            r
            for r in files
            if self._record.is_changed_here(r)
            and (is_final or r in needed or self._due.get(r, 0.0) <= now)
        ]
        try:
            self._send(r for r in changed if Path(r).name != _LAST)
            for snapshot in snapshots:
                self._send_checkpoint(snapshot)
            self._send(r for r in changed if Path(r).name == _LAST)
            for relative in self._seen - set(files):
                self.bucket.delete(_join(self.folder.name, relative))
                self._record.forget(relative)
            self._seen = set(files)
        finally:
            self._record.save()

    def is_published(self, under: str = "") -> bool:
        """Nothing was changed here since it was published or fetched."""
        files, checkpoints = self._walk(under)
        return not any(self._record.is_changed_here(r) for r in files) and not any(
            self._record.checkpoint(c).get("here") != _stamp_of_checkpoint(self.folder / c)
            for c in checkpoints
        )

    def _walk(self, under: str) -> tuple[list[str], list[str]]:
        """Files to publish and checkpoints, by their paths in the run's folder."""
        files: list[str] = []
        checkpoints: list[str] = []
        if (self.folder / under).is_file():
            return [under], []
        for root, folders, names in os.walk(self.folder / under):
            place = os.path.relpath(root, self.folder)
            place = "" if place == "." else place
            folders[:] = [f for f in folders if not f.startswith(".")]
            if os.path.basename(root) == CHECKPOINTS:
                checkpoints += [_join(place, f) for f in folders]
                folders[:] = []
                continue
            files += [_join(place, n) for n in names if _is_published(n)]
        return files, checkpoints

    def _send(self, relatives: Iterable[str]) -> None:
        began: dict[str, list[int]] = {}

        def send(relative: str) -> None:
            here, since = stamp(self.folder / relative), time.monotonic()
            if here is None:
                return
            with contextlib.suppress(FileNotFoundError):
                self.bucket.upload(self.folder / relative, _join(self.folder.name, relative))
                began[relative] = here
            took = time.monotonic() - since
            self._due[relative] = time.monotonic() + max(2.0, _REST * took)

        try:
            list(self.bucket.each(send, relatives))
        finally:
            sent = {_join(self.folder.name, r): r for r in began}
            with contextlib.suppress(OSError):
                for key, stat in self.bucket.stats(sent).items():
                    self._record.note(sent[key], began[sent[key]], stat, is_ours=True)

    def _snapshot(self, relative: str) -> "Snapshot | None":
        """The checkpoint as it is now; None when it is published, or just being replaced."""
        source = self.folder / relative
        here = _stamp_of_checkpoint(source)
        if here is None or self._record.checkpoint(relative).get("here") == here:
            return None
        target = source.parent / f".publish-{source.name}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        try:
            text = (source / MANIFEST).read_text(encoding="utf-8")
            manifest = json.loads(text)
            for name in manifest["files"]:
                link_or_copy(source / name, target / name)
            if (source / MANIFEST).read_text(encoding="utf-8") != text:
                return None
        except (OSError, ValueError):
            return None
        mark = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
        folder = f"{source.name}.{manifest['step']}-{mark}"
        return Snapshot(relative, target, here, manifest | {"folder": folder})

    def _send_checkpoint(self, snapshot: "Snapshot") -> None:
        parent = _join(self.folder.name, str(Path(snapshot.relative).parent))
        folder = snapshot.manifest["folder"]

        def send(name: str) -> None:
            self.bucket.upload(snapshot.path / name, f"{parent}/{folder}/{name}")

        list(self.bucket.each(send, snapshot.manifest["files"]))
        marker = _join(self.folder.name, snapshot.relative, MANIFEST)
        self.bucket.put(marker, json.dumps(snapshot.manifest).encode())
        before = self._record.checkpoint(snapshot.relative).get("folder")
        self._record.note_checkpoint(snapshot.relative, snapshot.here, folder)
        shutil.rmtree(snapshot.path, ignore_errors=True)
        if snapshot.relative in self._tidied:
            old = {before} if before else set()
        else:  # once a process: also what was left by one that was killed before the marker
            name = Path(snapshot.relative).name
            old = {k.partition("/")[0] for k in self.bucket.files(parent)}
            old = {f for f in old if f.startswith(f"{name}.")}
            self._tidied.add(snapshot.relative)
        for unused in old - {folder}:
            self.bucket.delete_folder(f"{parent}/{unused}")


class Snapshot:
    """A checkpoint whose files no training step can change any more."""

    def __init__(
        self, relative: str, path: Path, here: list[int], manifest: dict[str, Any]
    ) -> None:
        self.relative, self.path, self.here, self.manifest = relative, path, here, manifest


def is_safe(relative: str) -> bool:
    """Whether a path from the store stays inside the folder that it is to be written to."""
    parts = relative.split("/")
    return not any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts)


def _is_small(relative: str) -> bool:
    parts = relative.split("/")
    return not _HEAVY & set(parts) and not any(p.startswith(".") for p in parts)


def _is_published(name: str) -> bool:
    return not name.startswith(".") and not name.endswith((".lock", ".new"))


def _stamp_of_checkpoint(folder: Path) -> list[int] | None:
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_ino]


def _join(*parts: str) -> str:
    return "/".join(p.strip("/") for p in parts if p not in ("", "."))
