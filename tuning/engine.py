"""Ray Tune under a sweep: its environment, its searcher and scheduler, its trials' actors.

The study and the children are the memory; nothing that Tune writes is read again.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.platform.run_writer import STOP_FILE
from trivium.trainers.local_ray import added_environment, ray_session
from trivium.tuning.objective import curve_of
from trivium.tuning.rounds import InRounds
from trivium.tuning.trials import ended_of
from trivium.tuning.worker_deaths import deaths_told

if TYPE_CHECKING:
    from trivium.tuning.study import SweepSearch
    from trivium.tuning.sweep import Sweep

TUNE_ENVIRONMENT: Mapping[str, str] = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # result.json, progress.csv, events of each trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the first Ctrl-C lets trials save
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial has no value
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # the study is the memory, not Tune's own files
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "30",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""What Ray Tune reads from the environment, for the time of a sweep; a user's own value wins."""
ON_DEMAND: Mapping[str, str] = {"RAY_prestart_worker_first_driver": "0"}
"""Trials of one worker: a process that Ray starts ahead and that still imports when Tune asks for
its actors gets none of them, so that twice as many would import on the same cores."""
MOST_DEATHS = 3
"""How often a trial goes on from its checkpoint after its worker died; then it has failed."""


def search(sweep: "Sweep", verbose: bool = False) -> None:
    """Run what is left of the sweep on Ray Tune, in reused actors."""
    plan = sweep.plan
    num_cpus = max(1.0, plan.num_concurrent * plan.cpus_of_all_workers)
    is_alone = plan.job.resources.most_workers == 1
    with (
        added_environment({**TUNE_ENVIRONMENT, **(ON_DEMAND if is_alone else {})}),
        # When this process is killed, `ray_session` sweeps what has a name like this.
        tempfile.TemporaryDirectory(prefix=f"trivium-ray-{os.getpid()}-") as folder,
        ray_session(
            num_cpus=num_cpus,
            working_dir=plan.job.base,
            preload=_preloaded(),
            verbose=verbose,
        ),
        deaths_told(),
    ):
        searcher = searcher_of(sweep)
        try:
            _tune(sweep, searcher, Path(folder), verbose)
        finally:
            sweep.settle()


def _preloaded() -> list[str]:
    """What workers import while they wait: torch when the job's check needed it here too."""
    return [*(["torch"] if "torch" in sys.modules else []), "ray.tune", "trivium.tuning.trial"]


def searcher_of(sweep: "Sweep") -> "SweepSearch":
    """The search of what is left of a sweep, on its study."""
    from trivium.tuning.round_search import RoundSearch
    from trivium.tuning.storage import open_storage
    from trivium.tuning.study import SweepSearch

    plan, trials = sweep.plan, sweep.trials()
    options: dict[str, Any] = {
        "space": plan.space,
        "objectives": plan.objectives,
        # A sampler that begins anew must not repeat its first draws.
        "sampler": plan.searcher.sampler(plan.job.seed + len(trials)),
        "storage": open_storage(sweep.run, plan.settings.storage),
        "study_name": sweep.run.id,
        "sweep": sweep,
        "is_stopping": lambda: sweep.is_stopping,
        "num_trials": plan.num_trials,
        "keeps_pruned": plan.searcher.reads_pruned,
    }
    scheduler = plan.scheduler
    if isinstance(scheduler, InRounds):
        searcher: SweepSearch = RoundSearch(sweep.run, plan, scheduler, **options)
    else:
        searcher = SweepSearch(**options)
    for child in trials.values():
        (child.path / STOP_FILE).unlink(missing_ok=True)
    sweep.catch_up(trials, searcher.closed)
    searcher.recover(sweep.trials())
    # All points come before the first draw, so a study with fewer trials misses the last of them.
    searcher.enqueue(plan.points[len(searcher.study.get_trials(deepcopy=False)) :])
    return searcher


def _tune(sweep: "Sweep", searcher: "SweepSearch", folder: Path, verbose: bool) -> None:
    from ray import tune

    from trivium.tuning.trial import TrialWorker

    plan = sweep.plan
    scheduler = plan.scheduler.make("max" if plan.objective.larger_is_better else "min")
    former = {n: c for n, c in sweep.trials().items() if ended_of(c) in ("finished", "pruned")}
    plan.scheduler.recall(scheduler, {n: curve_of(c, plan.objective) for n, c in former.items()})
    resources = {"CPU": plan.cpus_per_trial, "GPU": plan.settings.gpus_per_trial}
    # A trial of several workers computes in these alone; Ray wants something reserved: a byte.
    reserved = {k: v for k, v in resources.items() if v} or {"memory": 1}
    worker: Any = tune.with_resources(TrialWorker, reserved)
    worker.__qualname__ = TrialWorker.__qualname__  # so Ray's dashboard calls the actors
    tuner = tune.Tuner(
        worker,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=plan.num_concurrent,
            reuse_actors=True,
            trial_dirname_creator=_short_name,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(folder),
            verbose=3 if verbose else 0,
            # Of an actor that dies; an error of the training is a result, and comes again.
            failure_config=tune.FailureConfig(max_failures=MOST_DEATHS),
            # The child's own are the checkpoints; Tune would wait for one more at each trial's end.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    tuner.fit()


def _short_name(trial: Any) -> str:
    return str(trial.trial_id)
