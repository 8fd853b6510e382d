"""What a sweep will do, all of it checked before anything starts."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trivium.platform.algorithm import Algorithm, Preflight
from trivium.platform.errors import Mistake, UserError
from trivium.platform.job import Job
from trivium.platform.registry import look_in
from trivium.platform.run import RunFolder, read_json
from trivium.platform.runner import check
from trivium.platform.settings import build, validate
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective, choose_objectives
from trivium.tuning.population import fixed_settings
from trivium.tuning.rounds import InRounds
from trivium.tuning.schedulers import Scheduler
from trivium.tuning.searchers import Searcher
from trivium.tuning.settings import SCHEDULERS, SEARCHERS, TuneSettings, Value
from trivium.tuning.space import Space, check_space, job_with

PLAN = "sweep.json"


@dataclass(frozen=True)
class Plan:
    """A sweep's job and what follows from it; `sweep.json` keeps what cannot be told again."""

    job: Job
    """As the job file has it: the settings that the sweep starts from."""
    data: Mapping[str, Value]
    """The job as it was written, defaults left out: the values of a trial are put into it."""
    settings: TuneSettings
    space: Space
    objective: Objective
    """What trials are ranked by: the first of the aims."""
    objectives: Sequence[Objective]
    """All aims; more than one have a Pareto front instead of a winner."""
    points: Sequence[Point]
    """Tried first, in this order."""
    num_trials: int

    @property
    def searcher(self) -> Searcher:
        """The searcher that the job names."""
        made: Searcher = build(self.settings.search, SEARCHERS, {})
        return made

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler that the job names."""
        made: Scheduler = build(self.settings.scheduler, SCHEDULERS, {})
        return made

    @property
    def cpus_per_trial(self) -> float:
        """CPUs that a trial reserves; those of Ray Train's workers are theirs, not the trial's."""
        workers = self.job.resources.most_workers
        return 0.0 if workers > 1 else self.settings.cpus_per_trial

    @property
    def num_concurrent(self) -> int:
        """Trials at once."""
        if self.settings.max_concurrent is not None:
            return min(self.settings.max_concurrent, self.num_trials)
        return max(1, min(self.num_trials, int(available_cpus() / self.cpus_of_all_workers)))

    @property
    def cpus_of_all_workers(self) -> float:
        """CPUs that a trial keeps busy, its workers included."""
        resources = self.job.resources
        if resources.most_workers > 1:
            return resources.most_workers * (resources.cpus_per_worker or 1.0)
        return self.settings.cpus_per_trial

    def trial_job(self, point: Point, *, seed: int, seeds: int) -> Job:
        """The job of a trial; as many threads as CPUs, so that trials do not hinder each other.

        Raises:
            UserError: the settings do not go together.
        """
        job = job_with(self.data, point, self.job.name)
        changes: dict[str, Value] = {"seed": seed, "seeds": seeds}
        if job.resources.threads_per_worker is None and job.resources.most_workers == 1:
            threads = max(1, math.floor(self.settings.cpus_per_trial))
            changes["resources"] = job.resources.model_copy(update={"threads_per_worker": threads})
        made = job.model_copy(update=changes)
        made._base = self.job.base
        return made


def available_cpus() -> int:
    """Cores that this process may use; the CPUs of the cluster that `RAY_ADDRESS` had it join."""
    if os.environ.get("RAY_ADDRESS", "local") != "local":
        import ray

        if ray.is_initialized():
            return max(1, int(ray.cluster_resources().get("CPU", 1)))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_plan(job: Job, data: Mapping[str, Value]) -> tuple[Plan, Preflight]:
    """The plan of a job that is about to be tuned, and what is known of the job itself.

    Raises:
        UserError: every mistake of the section `tune`, or a job that cannot run.
    """
    settings = job.tune
    if settings is None:
        raise UserError.at(
            "tune", "is required: name the settings to search, as in space: {algorithm.lr: ...}"
        )
    assert isinstance(settings, TuneSettings)
    if job.seeds > 1:
        raise UserError.at("seeds", "a sweep has its own: set tune.seeds instead")
    if settings.seeds > 1 and job.repeats is not None:
        message = "validation.folds trains each setting several times already; leave tune.seeds out"
        raise UserError.at("tune.seeds", message)
    space = Space(settings.space)
    mistakes = check_space(data, space, settings.points)
    algorithm, preflight = check(job)
    mistakes += _misplaced_rounds(job, settings, space, algorithm)
    objectives: Sequence[Objective] = ()
    try:
        costs = getattr(algorithm, "costs", ())
        objectives = choose_objectives(settings, algorithm.metrics, costs)
    except UserError as error:
        mistakes += error.mistakes
    mistakes += _refused_aims(settings)
    points, num_trials = _points(settings, space, mistakes)
    if mistakes:
        raise UserError(*mistakes)
    plan = Plan(job, data, settings, space, objectives[0], objectives, points, num_trials)
    return plan, preflight


def _refused_aims(settings: TuneSettings) -> list[Mistake]:
    """A searcher that knows a single aim."""
    searcher = build(settings.search, SEARCHERS, {})
    if not settings.metrics or getattr(searcher, "takes_several_aims", True):
        return []
    message = "cma-es has one aim; with metrics take tpe, gp, random, grid, or search: nsga2"
    return [Mistake("tune.search.sampler", message)]


def _misplaced_rounds(
    job: Job, settings: TuneSettings, space: Space, algorithm: Algorithm
) -> list[Mistake]:
    """Why a scheduler that trains in rounds cannot take this job."""
    scheduler, name = build(settings.scheduler, SCHEDULERS, {}), settings.scheduler.name
    if not isinstance(scheduler, InRounds):
        return []
    mistakes = []
    if job.changed(seeds=settings.seeds).repeats is not None:
        message = f"{name} stops trainings on their way, so that a trial has to be a single one"
        place = "tune.seeds" if settings.seeds > 1 else "tune.scheduler"
        mistakes.append(Mistake(place, message))
    if scheduler.changes_settings:
        changeable = getattr(algorithm, "changeable", ())
        kind = job.algorithm.name  # type: ignore[attr-defined]
        mistakes += fixed_settings(space, changeable, kind)
        if settings.num_trials < 2:
            mistakes.append(Mistake("tune.num_trials", "a population has two trials at least"))
    return mistakes


def plan_content(plan: Plan) -> dict[str, Value]:
    """Content of sweep.json."""
    return {
        "metric": plan.objective.metric,
        "larger_is_better": plan.objective.larger_is_better,
        "aims": [asdict(o) for o in plan.objectives],
        "num_trials": plan.num_trials,
        "num_seeds": plan.settings.seeds,
        "searched": [d.path for d in plan.space.dimensions],
        "job": plain(plan.data),
    }


def read_plan(run: RunFolder) -> Plan:
    """The plan of a sweep that was begun.

    Raises:
        UserError: the run is no sweep.
    """
    content = read_sweep(run)
    job = run.job()
    assert isinstance(job.tune, TuneSettings)
    space = Space(job.tune.space)
    objectives = aims_in(content)
    points, num_trials = _points(job.tune, space, [])
    return Plan(job, content["job"], job.tune, space, objectives[0], objectives, points, num_trials)


def tune_settings(run: RunFolder) -> TuneSettings:
    """A sweep's section `tune`; its job's other settings are not read, which would import torch.

    Raises:
        UserError: the run is no sweep.
    """
    read_sweep(run)
    look_in(run.base)
    return validate(TuneSettings, run.job_file.data["tune"])


def aims_in(content: Mapping[str, Value]) -> tuple[Objective, ...]:
    """What sweep.json says is made best; older ones name a single metric."""
    if "aims" in content:
        return tuple(Objective(**aim) for aim in content["aims"])
    return (Objective(content["metric"], content["larger_is_better"]),)


def read_sweep(run: RunFolder) -> dict[str, Value]:
    """Content of sweep.json.

    Raises:
        UserError: the run is no sweep.
    """
    if run.info.get("kind") != "tune":
        raise UserError(f"{run.id} is no sweep; `trivium tune JOB` makes one")
    content: dict[str, Value] = read_json(run.path / PLAN)
    return content


def plain(value: Value) -> Value:
    """YAML's mappings and lists as Python's own."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    for kind in (int, float, str):  # YAML keeps how a number was written
        if isinstance(value, kind):
            return kind(value)
    return value


def _points(
    settings: TuneSettings, space: Space, mistakes: list[Mistake]
) -> tuple[list[Point], int]:
    """What is tried first, and how many trials there are."""
    first: list[Point] = list(settings.points)
    try:
        all_points = build(settings.search, SEARCHERS, {}).points(space)
    except UserError as error:
        mistakes += error.mistakes
        all_points = None
    if all_points is None:
        return first, max(settings.num_trials, len(first))
    first += [p for p in all_points if p not in first]
    return first, len(first)
