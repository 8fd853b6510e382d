"""TensorBoard events of a run, in its folder `tensorboard/`: curves, and a row for HPARAMS."""

import json
from typing import TYPE_CHECKING, Any

from trivium.platform.curves import PLACE
from trivium.platform.flatten import flatten
from trivium.platform.job import Job
from trivium.platform.run import Record, RunFolder
from trivium.platform.settings import dump

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


class TensorBoardTracker:
    """Writes events; tensorboardX is imported at the first record, when torch long is.

    Steps are environment steps in reinforcement learning, else optimizer steps.
    """

    def __init__(self, run: RunFolder, job: Job) -> None:
        self._folder = run.path / "tensorboard"
        self._job = job
        self._writer: SummaryWriter | None = None
        self._step = 0

    def report(self, record: Record) -> None:
        """Write the record's metrics as scalars."""
        self._step = int(record.get("env_steps", record["step"]))
        if self._writer is None:
            self._writer = self._open()
        for name, value in record.items():
            if name not in PLACE and value is not None:
                self._writer.add_scalar(name, value, self._step)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Nothing: TensorBoard has no bar."""

    def say(self, text: str) -> None:
        """Nothing: sentences are in log.txt."""

    def close(self) -> None:
        """Bring all events to the disk."""
        if self._writer is not None:
            self._writer.flush()

    def finish(self, run: RunFolder) -> None:
        """Write settings and final scores for the HPARAMS page, and close the file."""
        if self._writer is None:
            return
        from tensorboardX.summary import hparams

        scores = {k: float(v) for k, v in run.result.get("metrics", {}).items()}
        for name, value in scores.items():
            self._writer.add_scalar(name, value, self._step)
        settings = {k: _plain(v) for k, v in flatten(dump(self._job)).items()}
        for summary in hparams(settings, scores):
            self._writer.file_writer.add_summary(summary)
        self._writer.close()
        self._writer = None

    def _open(self) -> "SummaryWriter":
        from tensorboardX import SummaryWriter

        # After a resume, points from this step on are drawn again: TensorBoard drops the old ones.
        purge = self._step if self._folder.is_dir() else None
        return SummaryWriter(str(self._folder), purge_step=purge, flush_secs=10)


def _plain(value: Any) -> bool | str | float | int:
    return value if isinstance(value, bool | str | float | int) else json.dumps(value)
