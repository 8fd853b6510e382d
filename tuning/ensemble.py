"""From a sweep to the job that combines its best trials: one of the algorithm `ensemble`."""

from collections.abc import Sequence

from trivium.platform.errors import UserError
from trivium.platform.job import Job, check_job
from trivium.platform.run import RunFolder
from trivium.trainers.supervised.job import SupervisedJob
from trivium.tuning.trials import objective_of, ranked, trial_rows


def ensemble_job(run: RunFolder, top: int, method: str) -> Job:
    """The job that combines the `top` best finished trials of a sweep.

    Of a run over seeds its children are combined, of one over folds the models of its folds.

    Raises:
        UserError: the run holds no supervised trainings, or too few that are finished.
    """
    job = run.job()
    if not isinstance(job, SupervisedJob):
        kind = job.algorithm.name  # type: ignore[attr-defined]
        raise UserError(f"{run.id} is of {kind}: ensembles are made of supervised trials")
    members, metric = _members(run, top)
    paths = [str(m.path.resolve()) for m in members]
    algorithm = {"name": "ensemble", "members": paths, "method": method, "metric": metric}
    return check_job({"name": f"{job.name[:55]}-ensemble", "algorithm": algorithm})


def _members(run: RunFolder, top: int) -> tuple[Sequence[RunFolder], str | None]:
    """What is combined, the best first, and the metric that it was the best by."""
    kind = run.info.get("kind")
    if kind == "folds":
        return [run], None
    if kind == "seeds":
        return run.children(), None
    if kind != "tune":
        raise UserError(
            f"{run.id} is a single training; an ensemble is made of a sweep (`trivium tune JOB`), "
            "or of a run over seeds or folds"
        )
    objective = objective_of(run)
    finished = [r for r in ranked(trial_rows(run), objective) if r.status == "finished"]
    if len(finished) < 2:
        raise UserError(
            f"{run.id} has {len(finished)} finished trials; an ensemble needs two at least"
        )
    trials = [RunFolder(run.path / "children" / str(r.number)) for r in finished[:top]]
    return trials, objective.metric
