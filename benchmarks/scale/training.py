"""An ordinary supervised job whose training step is empty, and what its workers wrote of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 8
"""Of a worker in each step, however many workers there are."""
STEPS_PER_EPOCH = 250
JOB = """\
name: empty
dataset: {{source: '{data}', target: y, split: {{column: split}}}}
model: {{name: '{here}/empty.py:Empty', folder: '{steps}'}}
algorithm: {{name: supervised, epochs: {epochs}, batch_size: {batch}}}
resources: {{num_workers: {workers}, threads_per_worker: 1}}
"""


def write_job(folder: Path, workers: int, steps: int) -> Path:
    """The job's file with its data: so many steps of `ROWS` rows for each worker."""
    rows, held_out = ROWS * workers * STEPS_PER_EPOCH, 64
    draw = np.random.default_rng(0)
    splits = ["train"] * rows + ["validation"] * held_out + ["test"] * held_out
    x = draw.normal(size=len(splits)).astype(np.float32)
    y = draw.integers(0, 2, len(splits)).astype(str)
    pq.write_table(pa.table({"x": x, "y": y, "split": splits}), folder / "rows.parquet")
    (folder / "steps").mkdir()
    text = JOB.format(
        data=folder / "rows.parquet",
        here=HERE,
        steps=folder / "steps",
        epochs=steps // STEPS_PER_EPOCH,
        batch=ROWS * workers,
        workers=workers,
    )
    (folder / "job.yaml").write_text(text)
    return folder / "job.yaml"


@dataclass(frozen=True)
class Worker:
    """What one worker wrote; see empty.py."""

    rank: int
    pid: int
    lines: list[dict[str, Any]]

    def of_steps(self, name: str) -> float:
        """Growth of `name` a step, from the second line (step 100) to the last."""
        first, last = self.lines[1], self.lines[-1]
        return float(last[name] - first[name]) / (last["step"] - first["step"])


@dataclass(frozen=True)
class Trained:
    """The workers of one run, by rank."""

    workers: list[Worker]

    @property
    def window(self) -> tuple[float, float]:
        """Unix times of the steps that count: from step 100 of rank 0 to its last line."""
        lines = self.workers[0].lines
        return lines[1]["at"], lines[-1]["at"]

    def mean(self, name: str) -> float:
        """`Worker.of_steps`, over the workers."""
        return fmean(w.of_steps(name) for w in self.workers)


def read_workers(folder: Path, count: int) -> Trained:
    """What the workers of the job in `folder` wrote.

    Raises:
        SystemExit: there were more or fewer than `count`, as when one died and began anew.
    """
    files = sorted((folder / "steps").iterdir(), key=lambda f: int(f.name.split("-")[0]))
    workers = [
        Worker(*map(int, f.name.split("-")), [json.loads(line) for line in f.open()]) for f in files
    ]
    if [w.rank for w in workers] != list(range(count)):
        raise SystemExit(f"{count} workers were asked for, {[w.rank for w in workers]} trained")
    return Trained(workers)
