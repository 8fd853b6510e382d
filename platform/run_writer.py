"""What a training loop reports to: one writer of the run folder, in whichever process trains.

The loop calls `report`, `progress`, `checkpoint_due`/`save_checkpoint` and looks at `stop`; it
knows neither files nor terminals. Listeners (console, TensorBoard, MLflow) get the same records.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from trivium.platform.checkpoint import Checkpoint, copy_checkpoint, write_checkpoint
from trivium.platform.run import Record, RunFolder, process_started, read_records

STOP_FILE = "stop"


class Listener(Protocol):
    """Follows a run; called in order: reports and progress while it trains, then close."""

    def report(self, record: Record) -> None:
        """A line of metrics.jsonl was written."""

    def progress(self, done: float, total: int, unit: str) -> None:
        """`done` of `total` units (epochs, environment steps) are behind; called often."""

    def say(self, text: str) -> None:
        """A sentence for the user, such as a warning about gradients."""

    def close(self) -> None:
        """The run ended, well or not."""


@runtime_checkable
class SavingListener(Listener, Protocol):
    """A listener that also hears of checkpoints."""

    def saved(self, step: int, seconds: float) -> None:
        """A checkpoint was written, in so many seconds."""


class RunWriter:
    """Writes one run; only rank 0 of a distributed job has one.

    Times count from the start of the run and go on after a resume, so that curves have no gap.
    """

    def __init__(
        self,
        folder: RunFolder,
        listeners: Sequence[Listener] = (),
        checkpoint_interval_s: float = 10.0,
        is_stopping: Callable[[], bool] = lambda: False,
        began_at: float | None = None,
    ) -> None:
        self.folder = folder
        self.first_step_s: float | None = None
        self._listeners = tuple(listeners)
        self.checkpoint_interval_s = checkpoint_interval_s
        self._is_stopping = is_stopping
        self._began_at = began_at if began_at is not None else time.time()
        self._file = folder.path / "metrics.jsonl"
        self._stream: IO[str] | None = None
        self._time_before_s = 0.0
        self._num_reports = 0
        self._began = self._last_checkpoint = self._last_look = time.monotonic()
        self._stop_file_seen = False

    def resume(self) -> Checkpoint | None:
        """The checkpoint to go on from, or None; lines reported after it are taken back."""
        if self._stream is not None:  # it goes on a second time, within one process
            self._stream.close()
            self._stream = None
            self._began = time.monotonic()
        checkpoint = self.folder.checkpoint("last")
        self._num_reports = checkpoint.num_reports if checkpoint else 0
        kept = list(read_records(self._file))[: self._num_reports]
        if self._file.exists():
            temporary = self._file.with_suffix(".new")
            temporary.write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
            temporary.replace(self._file)
        (self.folder.path / STOP_FILE).unlink(missing_ok=True)
        self._time_before_s = float(kept[-1]["time_s"]) if kept else 0.0
        return checkpoint

    @property
    def time_s(self) -> float:
        """Seconds that this run has trained, those before a resume included."""
        return self._time_before_s + time.monotonic() - self._began

    @property
    def stop(self) -> bool:
        """The user asked to stop: finish the step, save, and raise Interrupted."""
        if self._is_stopping():
            return True
        now = time.monotonic()
        if now - self._last_look > 0.5:  # a file is how the driver reaches a worker elsewhere
            self._last_look = now
            self._stop_file_seen = (self.folder.path / STOP_FILE).exists()
        return self._stop_file_seen

    def mark_first_step(self, at: float | None = None) -> None:
        """The first training step is done (at Unix time `at`, when a worker did it).

        How long that was after the run was asked for is part of the result.
        """
        if self.first_step_s is None:
            self.first_step_s = (time.time() if at is None else at) - self._began_at

    def report(
        self,
        step: int,
        metrics: Mapping[str, float],
        *,
        epoch: float | None = None,
        env_steps: int | None = None,
    ) -> None:
        """Append a line to metrics.jsonl; a non-finite value is written as null."""
        record: dict[str, Any] = {"step": step}
        if epoch is not None:
            record["epoch"] = epoch
        if env_steps is not None:
            record["env_steps"] = env_steps
        record["time_s"] = round(self.time_s, 4)
        record.update({k: v if math.isfinite(v) else None for k, v in metrics.items()})
        if self._stream is None:
            self._stream = self._file.open("a", encoding="utf-8")
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()
        self._num_reports += 1
        for listener in self._listeners:
            listener.report(record)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Tell how far the run is; cheap, call it every step."""
        for listener in self._listeners:
            listener.progress(done, total, unit)

    def say(self, text: str) -> None:
        """Tell the user a sentence."""
        for listener in self._listeners:
            listener.say(text)

    def checkpoint_due(self) -> bool:
        """So much time has passed since the last checkpoint that it is worth another."""
        return self.checkpoint_due_in_s <= 0

    @property
    def checkpoint_due_in_s(self) -> float:
        """Seconds until the next one is due."""
        return self.checkpoint_interval_s - (time.monotonic() - self._last_checkpoint)

    def save_checkpoint(
        self, step: int, fill: Callable[[Path], None], *, name: str = "last"
    ) -> None:
        """Write checkpoint `name`; `fill(path)` puts the files into an empty folder."""
        began = time.monotonic()
        write_checkpoint(self.folder.checkpoints, name, step, fill, self._num_reports)
        now = time.monotonic()
        if name == "last":  # the only one that a run goes on from
            self._last_checkpoint = now
        for listener in self._listeners:
            if isinstance(listener, SavingListener):
                listener.saved(step, now - began)

    def keep_best(self) -> None:
        """The checkpoint last, just written, is also the best."""
        copy_checkpoint(self.folder.checkpoints, "last", "best")

    def close(self) -> None:
        """Close the files and tell the listeners."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        for listener in self._listeners:
            listener.close()


def command_started_at() -> float:
    """Unix time at which this process was started."""
    now = time.time()
    try:
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return now - time.process_time()
    ticks = process_started(os.getpid())
    return now - uptime + (ticks or 0) / os.sysconf("SC_CLK_TCK")
