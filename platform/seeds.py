"""One job, several seeds: a parent run with a child for each, shown and scored as one.

The score is the mean over seeds with a 95% confidence interval (Student's t), since one seed says
little: neighbouring seeds of the same job often differ more than the methods under comparison.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

from trivium.platform.exhibit import Table, to_json
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import Job
from trivium.platform.run import RunFolder, utc_now, write_json
from trivium.platform.runner import (
    Screen,
    begin,
    check,
    error_text,
    make_algorithm,
    train,
    write_report,
)
from trivium.platform.store import Store

# Two-sided 95% points of Student's t for 1..30 degrees of freedom; beyond, the normal's 1.96.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def start_seeds(job: Job, store: Store, screen: Screen) -> RunFolder:
    """Train `job` with seed, seed + 1, ... as children of one run."""
    check(job)
    parent = store.create(job.name)
    begin(parent, job, "seeds")
    return resume_seeds(parent, job, screen)


def resume_seeds(
    parent: RunFolder,
    job: Job,
    screen: Screen,
    on_child: Callable[[Sequence[RunFolder]], None] = lambda _children: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> RunFolder:
    """Train the children that are not finished, then score the whole.

    `on_child` is told all finished children after each one.
    """
    info = dict(parent.info)
    write_json(parent.path / "run.json", info | {"status": "running", "error": None})
    try:
        children: list[RunFolder] = []
        for index in range(job.seeds):
            children.append(_train_child(parent, job, index, screen, is_stopping))
            on_child(children)
    except BaseException as error:
        status = "stopped" if isinstance(error, Interrupted) else "failed"
        ended = {"status": status, "error": error_text(error), "ended": utc_now()}
        write_json(parent.path / "run.json", info | ended)
        write_report(parent)
        raise
    _write_scores(parent, children)
    write_json(parent.path / "run.json", info | {"status": "finished", "ended": utc_now()})
    write_report(parent)
    return RunFolder(parent.path)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95% confidence interval (0 for a single value)."""
    if len(values) < 2:
        return fmean(values), 0.0
    t = _T95[len(values) - 2] if len(values) <= len(_T95) + 1 else 1.96
    return fmean(values), t * stdev(values) / math.sqrt(len(values))


def _train_child(
    parent: RunFolder, job: Job, index: int, screen: Screen, is_stopping: Callable[[], bool]
) -> RunFolder:
    child = RunFolder(parent.path / "children" / str(index))
    child_job = job.model_copy(update={"seed": job.seed + index, "seeds": 1})
    child_job._base = job.base
    if not (child.path / "run.json").is_file():
        child.path.mkdir(parents=True, exist_ok=True)
        begin(child, child_job, "train", parent=parent.id)
    elif child.status == "finished":
        return child
    algorithm = make_algorithm(child_job)
    preflight = algorithm.preflight()
    return train(child, child_job, algorithm, screen, preflight, is_stopping=is_stopping)


def _write_scores(parent: RunFolder, children: Sequence[RunFolder]) -> None:
    results = [c.result for c in children]
    intervals = {
        name: mean_and_interval([r["metrics"][name] for r in results])
        for name in results[0]["metrics"]
        if all(name in r["metrics"] for r in results)
    }
    write_json(
        parent.path / "result.json",
        {
            "metrics": {name: mean for name, (mean, _) in intervals.items()},
            "interval_95": {name: half for name, (_, half) in intervals.items()},
            "num_seeds": len(children),
            "wall_time_s": round(sum(r["wall_time_s"] for r in results), 3),
            "best_step": None,
            "checkpoint": None,
        },
    )
    table = _table(children, intervals)
    write_json(parent.path / "exhibits.json", to_json([table]))


def _table(children: Sequence[RunFolder], intervals: Mapping[str, tuple[float, float]]) -> Table:
    rows = [
        (name, mean, half, *(c.result["metrics"][name] for c in children))
        for name, (mean, half) in intervals.items()
    ]
    seeds = [f"seed {c.info['seed']}" for c in children]
    note = "The interval is Student's 95% confidence interval of the mean over the seeds."
    return Table("Scores over seeds", ("metric", "mean", "+/-", *seeds), tuple(rows), note)
