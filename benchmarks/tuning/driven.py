"""A sweep driven in one long-lived process: everything of Trivium's but Ray and the pages.

The plan, the space, the sampler, the study in its journal, the searcher that Ray Tune would ask,
the job of each trial and its training are those of `trivium tune`. Left out: Ray (its loop and
its actors), run.json and report.html of each trial, and the final. `quality.py` runs one sweep
with Ray too and compares its points.
"""

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trivium.platform.job import Job, open_job, read_job
from trivium.platform.run import RunFolder, write_json
from trivium.platform.run_writer import RunWriter
from trivium.platform.runner import make_algorithm
from trivium.tuning.engine import searcher_of
from trivium.tuning.plan import Plan, make_plan
from trivium.tuning.schedulers import REPORTS, VALUE
from trivium.tuning.study import SweepSearch
from trivium.tuning.sweep import Sweep
from trivium.tuning.trial import ENDED, REASON

Point = Mapping[str, Any]


class DrivenSweep(Sweep):
    """A sweep whose trials have no run folders; their jobs are made and checked as ever."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        write_json(folder / "run.json", {"id": folder.name, "kind": "tune", "status": "running"})
        super().__init__(RunFolder(folder), plan, progress=None)  # type: ignore[arg-type]
        self.jobs: list[Job] = []
        self.points: list[Point] = []

    def new_child(self, number: int, point: Point) -> RunFolder:
        """The job of the trial, its settings checked."""
        settings = self.plan.settings
        job = self.plan.trial_job(point, seed=self.plan.job.seed, seeds=settings.seeds)
        self.jobs.append(job)
        self.points.append(dict(point))
        child = RunFolder(self.run.path / "children" / str(number))
        child.path.mkdir(parents=True)
        return child

    def ended(self, number: int, ended: str, value: float | None, reason: str) -> None:
        """Nothing is shown."""

    def next_final(self) -> RunFolder | None:
        """There is no final."""
        return None


def open_plan(file: Path, overrides: tuple[str, ...] = ()) -> Plan:
    """The plan of a job file."""
    opened = open_job(file, overrides)
    plan, _ = make_plan(read_job(opened), opened.data)
    return plan


def search(plan: Plan, at_once: int = 1) -> tuple[list[Point], list[float]]:
    """Points in the order in which they were drawn, and their values; `at_once` overlap."""
    with scratch() as folder:
        sweep = DrivenSweep(plan, folder)
        searcher = searcher_of(sweep)
        values: list[float] = []
        running: list[int] = []
        for number in range(plan.num_trials + at_once):
            if number < plan.num_trials:
                assert isinstance(searcher.suggest(str(number)), dict)
                running.append(number)
            if len(running) == at_once or number >= plan.num_trials:
                first = running.pop(0) if running else None
                if first is not None:
                    values.append(value_of(plan, sweep.jobs[first]))
                    _tell(searcher, str(first), values[-1])
        return sweep.points, values


def _tell(searcher: SweepSearch, trial: str, value: float) -> None:
    """What Ray Tune tells the searcher of a trial: its report and its end."""
    if math.isnan(value):
        searcher.on_trial_complete(trial, {ENDED: "failed", REASON: "never finite"})
        return
    result = {VALUE: value, REPORTS: 1}
    searcher.on_trial_result(trial, result)
    searcher.on_trial_complete(trial, result | {ENDED: "finished"})


def value_of(plan: Plan, job: Job) -> float:
    """Train the job as a trial does, and take the best value that it reports; NaN if none is."""
    with scratch() as folder, Path(os.devnull).open("w") as nowhere:
        run = RunFolder(folder)
        write_json(folder / "run.json", {"id": folder.name, "kind": "train", "status": "running"})
        writer = RunWriter(run, checkpoint_interval_s=job.checkpoint.interval_s, began_at=0.0)
        with contextlib.redirect_stdout(nowhere):
            make_algorithm(job).train(writer)
        writer.close()
        value, _ = plan.objective.best_of(run.metrics())
    return math.nan if value is None else value


def value_at(plan: Plan) -> Callable[[Point], float]:
    """The value of a point of someone else's search, trained the same way."""
    return lambda point: value_of(plan, plan.trial_job(point, seed=plan.job.seed, seeds=1))


def key_of(point: Point) -> str:
    """Text that two points share when they are equal to the last digit."""
    return json.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in point.items()})


@contextlib.contextmanager
def scratch() -> Any:
    """A folder in memory where there is one."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="trivium-driven-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
