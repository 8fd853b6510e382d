"""One job trained several times: a parent run with a child for each seed or fold, scored as one.

The score is the mean over the children with a 95% confidence interval (Student's t), since one
training says little: neighbouring seeds of the same job often differ more than the methods under
comparison. There is no model of the whole: each child keeps its own.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trivium.platform.errors import UserError
from trivium.platform.exhibit import Cell, Table, to_json
from trivium.platform.interrupt import Interrupted, listening
from trivium.platform.interval import mean_and_interval
from trivium.platform.job import Job, Repeats
from trivium.platform.phrasing import plural
from trivium.platform.remote.kept import kept
from trivium.platform.run import RunFolder, process_started, utc_now, write_json
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
from trivium.platform.summary import best_record


def start_repeats(job: Job, store: Store, screen: Screen) -> RunFolder:
    """Train `job` with each of its seeds, or on each of its folds, as children of one run."""
    assert job.repeats is not None
    check(job)
    parent = store.create(job.name)
    begin(parent, job, job.repeats.kind)
    return resume_repeats(parent, job, screen)


def resume_repeats(
    parent: RunFolder,
    job: Job,
    screen: Screen,
    on_child: Callable[[Sequence[RunFolder]], None] = lambda _children: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> RunFolder:
    """Train the children that are not finished, then score the whole.

    `on_child` is told all finished children after each one.
    """
    with kept(parent.path, screen.console().say):
        return _train_children(parent, job, screen, on_child, is_stopping)


def _train_children(
    parent: RunFolder,
    job: Job,
    screen: Screen,
    on_child: Callable[[Sequence[RunFolder]], None],
    is_stopping: Callable[[], bool],
) -> RunFolder:
    repeats = job.repeats
    assert repeats is not None
    if is_whole(parent):
        on_child(parent.children())
        return parent
    _amend(parent, status="running", error=None, ended=None)
    children: list[RunFolder] = []
    try:
        with listening(_say_stopping) as stop:
            for index, child_job in enumerate(repeats.jobs.values()):
                if stop or is_stopping():
                    done = f"{len(children)} of {plural(len(repeats.jobs), repeats.word)}"
                    raise Interrupted(f"stopped after {done}; all is saved")
                children.append(
                    _train_child(
                        parent, child_job, index, screen, lambda: bool(stop) or is_stopping()
                    )
                )
                on_child(children)
    except BaseException as error:
        status = "stopped" if isinstance(error, Interrupted) else "failed"
        _amend(parent, status=status, error=error_text(error), ended=utc_now())
        write_report(parent)
        raise
    _write_scores(parent, repeats, children)
    _amend(parent, status="finished", ended=utc_now())
    write_report(parent)
    return RunFolder(parent.path)


def is_whole(parent: RunFolder) -> bool:
    """Whether it is finished: a sweep may hand one run to two workers, one after the other.

    Raises:
        UserError: another process of this machine is at it.
    """
    found = RunFolder(parent.path)
    info = found.info
    is_here = info.get("host") == socket.gethostname() and info.get("pid") != os.getpid()
    if found.status == "running" and is_here:
        raise UserError(f"{found.id} is running (process {info['pid']}); stop it first")
    return found.status == "finished"


def _train_child(
    parent: RunFolder, job: Job, index: int, screen: Screen, is_stopping: Callable[[], bool]
) -> RunFolder:
    child = RunFolder(parent.path / "children" / str(index))
    if not (child.path / "run.json").is_file():
        child.path.mkdir(parents=True, exist_ok=True)
        begin(child, job, "train", parent=parent.id)
    elif child.status == "finished":
        return child
    algorithm = make_algorithm(job)
    preflight = algorithm.preflight()
    return train(child, job, algorithm, screen, preflight, is_stopping=is_stopping)


def _write_scores(parent: RunFolder, repeats: Repeats, children: Sequence[RunFolder]) -> None:
    scores = [_scores(child, repeats.validates) for child in children]
    intervals = {
        name: mean_and_interval([s[name] for s in scores], repeats.overlap)
        for name in scores[0]
        if all(name in s for s in scores)
    }
    write_json(
        parent.path / "result.json",
        {
            "metrics": {name: mean for name, (mean, _) in intervals.items()},
            "interval_95": {name: half for name, (_, half) in intervals.items()},
            f"num_{repeats.kind}": len(children),
            "wall_time_s": round(sum(c.result["wall_time_s"] for c in children), 3),
            "best_step": None,
            "checkpoint": None,
        },
    )
    table = _table(repeats, scores, intervals)
    write_json(parent.path / "exhibits.json", to_json([table]))


def _scores(child: RunFolder, with_validation: bool) -> dict[str, float]:
    """The child's result, and before it its validation scores at the best step where asked."""
    at_best = (best_record(child, child.metrics()) or {}) if with_validation else {}
    validated = {k: v for k, v in at_best.items() if k.startswith("validation/") and v is not None}
    scores: dict[str, float] = validated | child.result["metrics"]
    return scores


def _table(
    repeats: Repeats,
    scores: Sequence[Mapping[str, float]],
    intervals: Mapping[str, tuple[float, float]],
) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, mean, half, *(s[name] for s in scores)) for name, (mean, half) in intervals.items()
    ]
    return Table(
        f"Scores over {repeats.kind}",
        ("metric", "mean", "+/-", *repeats.jobs),
        tuple(rows),
        repeats.note,
    )


def _amend(run: RunFolder, **changes: Any) -> None:
    process = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
    write_json(run.path / "run.json", RunFolder(run.path).info | process | changes)


def _say_stopping() -> None:
    print("\nstopping: the step is finished and saved first (Ctrl-C again stops at once)")
