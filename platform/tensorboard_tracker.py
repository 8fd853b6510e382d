"""TensorBoard events of a run, in its folder `tensorboard/`: curves, and a row for HPARAMS.

Events are written as they come, with tensorboardX's file writer but without its queue and its
thread: what was reported is on the disk when a run is killed.
"""

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from trivium.platform.curves import PLACE
from trivium.platform.flatten import flatten
from trivium.platform.job import Job
from trivium.platform.lean_import import import_without
from trivium.platform.run import Record, RunFolder
from trivium.platform.settings import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tensorboardX.event_file_writer import EventsWriter


class TensorBoardTracker:
    """Writes events; tensorboardX is imported at the first record.

    Steps are environment steps in reinforcement learning, else optimizer steps.
    """

    def __init__(self, run: RunFolder, job: Job) -> None:
        self._folder = run.path / "tensorboard"
        self._job = job
        self._writer: EventsWriter | None = None
        self._step = 0

    def report(self, record: Record) -> None:
        """Write the record's metrics as scalars."""
        self._step = int(record.get("env_steps", record["step"]))
        values = {k: v for k, v in record.items() if k not in PLACE and v is not None}
        with contextlib.suppress(OSError):  # a full disk is told by whoever writes the run
            if self._writer is None:
                self._writer = self._open()
            self._write(values)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Nothing: TensorBoard has no bar."""

    def say(self, text: str) -> None:
        """Nothing: sentences are in log.txt."""

    def close(self) -> None:
        """Nothing is waiting; `finish` closes the file."""

    def finish(self, run: RunFolder) -> None:
        """Write settings and final scores for the HPARAMS page, and close the file."""
        if self._writer is None:
            return
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import hparams

        scores = {k: float(v) for k, v in run.result.get("metrics", {}).items()}
        # Of a sweep's trial what was searched: the page then compares those settings alone.
        searched = run.info.get("tune", {}).get("settings")
        chosen = flatten(dump(self._job)) if searched is None else searched
        settings = {k: _plain(v) for k, v in chosen.items()}
        with contextlib.suppress(OSError):
            self._write(scores)
            # The first of the three names the settings of this run as those of all runs beside it,
            # where some have others; without it TensorBoard takes all that it finds.
            for summary in hparams(settings, {})[1:]:
                self._writer.write_event(Event(wall_time=time.time(), summary=summary))
            self._writer.close()
        self._writer = None

    def _open(self) -> "EventsWriter":
        # A trial that needs no torch should not wait for it: tensorboardX wants it for pictures.
        import_without("tensorboardX", "torch")
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder.mkdir(exist_ok=True)
        before = len(list(self._folder.iterdir()))
        writer = EventsWriter(str(self._folder / "events"), f".{before}")
        if before:  # resumed: TensorBoard drops the old points from this step on
            start = SessionLog(status=SessionLog.START)
            writer.write_event(Event(wall_time=time.time(), step=self._step, session_log=start))
        return writer

    def _write(self, values: "Mapping[str, float]") -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        assert self._writer is not None
        summary = Summary(value=[Summary.Value(tag=k, simple_value=v) for k, v in values.items()])
        self._writer.write_event(Event(wall_time=time.time(), step=self._step, summary=summary))
        self._writer.flush()


def _plain(value: Any) -> bool | str | float | int:
    return value if isinstance(value, bool | str | float | int) else json.dumps(value)
