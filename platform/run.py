"""A run on disk, as read: plain files that outlive every process and need no Trivium to be read."""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from trivium.platform.checkpoint import Checkpoint, read_checkpoint
from trivium.platform.errors import UserError
from trivium.platform.exhibit import Exhibit, from_json
from trivium.platform.job import Job, JobFile, open_job, read_job
from trivium.platform.remote.copies import copy_of, place_of
from trivium.platform.remote.publisher import ALIVE
from trivium.platform.remote.reading import checkpoint_fetched, checkpoint_published

DEAD_AFTER_S = 90.0
"""A run on another machine that has shown no life for so long is not running."""

Record = Mapping[str, Any]
"""One line of metrics.jsonl: step, epoch or env_steps, time_s, then the metrics."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint as a list shows it."""

    step: int
    num_bytes: int
    place: str


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, read lazily; see design: job.yaml, run.json, metrics.jsonl, result.json."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id, `digits-cnn-7`, or `digits-cnn-7/2` for a child of a run."""
        if self.path.parent.name == "children":
            return f"{RunFolder(self.path.parent.parent).id}/{self.path.name}"
        return self.path.name

    @cached_property
    def info(self) -> dict[str, Any]:
        """run.json: status, started, command, seed, parent, git, versions, host, error, ..."""
        info: dict[str, Any] = read_json(self.path / "run.json")
        return info

    @property
    def status(self) -> str:
        """pending, running, finished, failed or stopped; a dead process is not running."""
        recorded = str(self.info.get("status", "failed"))
        if recorded in ("running", "pending") and self.is_dead:
            return "failed"
        return recorded

    @property
    def is_dead(self) -> bool:
        """The process that recorded itself as running exists no more.

        That of another machine is known by the file `alive`, which it touches every few seconds.
        """
        if self.info.get("host") != socket.gethostname():
            return self._is_silent
        if "pid" not in self.info:
            return False
        return process_started(int(self.info["pid"])) != self.info.get("pid_started")

    @property
    def _is_silent(self) -> bool:
        tops = [self.path, *self.path.parents[1:2]] if "/" in self.id else [self.path]
        signs = [t / ALIVE for t in tops]
        if copy_of(self.path) is not None:  # killed before its first sign of life was published
            signs.append(self.path / "run.json")
        shown = [s.stat().st_mtime for s in signs if s.exists()]
        return bool(shown) and time.time() - max(shown) > DEAD_AFTER_S

    @cached_property
    def result(self) -> dict[str, Any]:
        """result.json, or an empty mapping while the run has none."""
        file = self.path / "result.json"
        return read_json(file) if file.is_file() else {}

    @cached_property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """What the run's last evaluation showed."""
        file = self.path / "exhibits.json"
        return from_json(read_json(file)) if file.is_file() else ()

    @property
    def job_file(self) -> JobFile:
        """The resolved job, with places for messages."""
        return open_job(self.path / "job.yaml")

    def job(self) -> Job:
        """The resolved job; relative paths are looked for beside the file it came from."""
        return read_job(self.job_file, self.base)

    @property
    def base(self) -> Path:
        """Folder of the job file: where the run was started, else where it was submitted from.

        In a cluster's workers neither need exist; there the upload is the working directory.
        """
        own = self.info.get("base")
        return Path(own) if own and Path(own).is_dir() else self.submitted_from or Path.cwd()

    @property
    def submitted_from(self) -> Path | None:
        """The folder that a cluster's job was made of, when this machine has it."""
        origin = (self.info.get("ray") or {}).get("from", {}).get("base")
        return Path(origin) if origin and Path(origin).is_dir() else None

    @property
    def log(self) -> Path:
        """Everything that the run printed."""
        return self.path / "log.txt"

    @property
    def report(self) -> Path:
        """The run's page."""
        return self.path / "report.html"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints best and last."""
        return self.path / "checkpoints"

    def checkpoint(self, name: str = "best") -> Checkpoint | None:
        """The newest whole checkpoint `best` or `last`, fetched when the store is remote."""
        checkpoint_fetched(self.path, name)
        return read_checkpoint(self.checkpoints, name)

    def saved(self, name: str) -> "Saved | None":
        """What is known of a checkpoint without fetching it."""
        manifest = checkpoint_published(self.path, name)
        if manifest is not None:
            num_bytes = sum(size for size, _ in manifest["files"].values())
            return Saved(int(manifest["step"]), num_bytes, manifest["address"])
        own = read_checkpoint(self.checkpoints, name)
        if own is None:
            return None
        num_bytes = sum(f.stat().st_size for f in own.path.iterdir())
        return Saved(own.step, num_bytes, str(own.path))

    @property
    def place(self) -> str:
        """Where the run lies, for people: its folder, or its address in a remote store."""
        return place_of(self.path)

    def metrics(self) -> list[Record]:
        """The lines of metrics.jsonl; a torn last line is passed over."""
        return list(read_records(self.path / "metrics.jsonl"))

    def children(self) -> list["RunFolder"]:
        """The runs inside this one (seeds, trials), in order."""
        folder = self.path / "children"
        if not folder.is_dir():
            return []
        return [RunFolder(p) for p in sorted(folder.iterdir(), key=lambda p: _number(p.name))]


def read_records(file: Path) -> Iterator[Record]:
    """The whole lines of a metrics.jsonl."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            if not line.endswith("\n"):
                return
            yield json.loads(line)


def read_json(file: Path) -> Any:
    """The content of a JSON file of a run.

    Raises:
        UserError: it is missing or not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no {file.name} in {file.parent}: this is not a whole run") from None
    except ValueError as error:
        raise UserError(f"{file}: is not JSON ({error})") from None


def write_json(file: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old content or the new, never a part."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def utc_now() -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def process_started(pid: int) -> int | None:
    """Kernel start time of a process in clock ticks, None when there is none (or no /proc).

    Process ids are used again; with the start time they name one process.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (-1, name)
