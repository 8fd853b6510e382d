"""From a checked job to a finished run: make the folder, train, score, write the result.

Every verb that makes a run comes through `start` or `resume`; what differs between algorithms is
behind `trivium.platform.algorithm`.
"""

import contextlib
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.platform.algorithm import Algorithm, Outcome, Preflight
from trivium.platform.checkpoint import is_disk_full
from trivium.platform.console import Console, final_table
from trivium.platform.errors import Mistake, RunFailed, TriviumError, UserError
from trivium.platform.exhibit import Metric, to_json
from trivium.platform.interrupt import Interrupted, listening
from trivium.platform.job import Job, algorithm_class, write_job
from trivium.platform.logs import logged
from trivium.platform.provenance import describe
from trivium.platform.redact import redact
from trivium.platform.registry import load_text
from trivium.platform.remote.copies import place_of
from trivium.platform.remote.kept import kept
from trivium.platform.run import RunFolder, process_started, utc_now, write_json
from trivium.platform.run_writer import STOP_FILE, Listener, RunWriter, command_started_at
from trivium.platform.store import Store
from trivium.platform.tracking import check_tracking, finish_tracking, trackers


@dataclass(frozen=True)
class Screen:
    """Where a run talks to a person."""

    to_stderr: bool = False
    """Standard output is for a program that reads JSON; people read standard error."""
    verbose: bool = False
    """Let Ray and torch talk too."""

    def console(self, metrics: Sequence[Metric] = ()) -> Console:
        """A console that writes there; the stream is looked up at each line (it may be logged)."""
        return Console(metrics, lambda: sys.stderr if self.to_stderr else sys.stdout)

    def ending(self, run: RunFolder) -> None:
        """The final table, where the report lies, and the next command to type."""
        console = self.console()
        console.heading(f"{run.id}: {run.status}")
        if "interval_95" in run.result:
            show_interval(run, console)
        else:
            console.facts(final_table(run.result["metrics"]))
        report = place_of(run.report)
        console.facts([("", ""), ("report", report), ("next", f"trivium show {run.id}")])


def show_interval(run: RunFolder, console: Console) -> None:
    """Mean and half the width of the 95% confidence interval of each metric."""
    intervals = run.result["interval_95"]
    rows = final_table(run.result["metrics"])
    console.facts([(name, f"{value} +/- {intervals[name]:.4f}") for name, value in rows])


def make_algorithm(job: Job) -> Algorithm:
    """The algorithm of `job`, ready to be asked."""
    name = job.algorithm.name  # type: ignore[attr-defined]  # every job type adds the section
    made: Algorithm = algorithm_class(name)(job)
    return made


def start(job: Job, store: Store, screen: Screen = Screen()) -> RunFolder:
    """Check `job`, then make and train its run (or one run for each of its seeds or folds).

    Raises:
        UserError: the job cannot run; no run was made.
        RunFailed, Interrupted: the run says the same in its run.json.
    """
    if job.repeats is not None:
        from trivium.platform.repeats import start_repeats

        return start_repeats(job, store, screen)
    algorithm, preflight = check(job)
    run = store.create(job.name)
    begin(run, job, getattr(algorithm, "run_kind", "train"))
    return train(run, job, algorithm, screen, preflight)


def resume(run: RunFolder, screen: Screen = Screen()) -> RunFolder:
    """Go on with a run that was stopped, killed or failed; a finished one is returned as it is."""
    if run.status == "finished":
        return run
    if run.status == "running":
        raise UserError(f"{run.id} is running (process {run.info.get('pid')}); stop it first")
    job = run.job()
    if job.repeats is not None and run.info["kind"] == job.repeats.kind:
        from trivium.platform.repeats import resume_repeats

        return resume_repeats(run, job, screen)
    if run.info["kind"] == "tune":
        resumed: RunFolder = load_text("trivium.tuning.sweep:resume_sweep")(run, screen)
        return resumed
    algorithm, preflight = check(job)
    return train(run, job, algorithm, screen, preflight)


def begin(run: RunFolder, job: Job, kind: str, parent: str | None = None) -> None:
    """Write the files that a run has from its first moment: job.yaml and run.json."""
    info = describe(kind, job.name, job.seed, job.base, parent) | {"id": run.id}
    (run.path / "job.yaml").write_text(write_job(job), encoding="utf-8")
    write_json(run.path / "run.json", info)


def train(
    run: RunFolder,
    job: Job,
    algorithm: Algorithm,
    screen: Screen,
    preflight: Preflight,
    listeners: Sequence[Listener] = (),
    is_stopping: Callable[[], bool] = lambda: False,
) -> RunFolder:
    """Train `run` in this process to its end, whichever it is, and write how it ended."""
    stop_file = run.path / STOP_FILE
    with (
        kept(run.path, screen.console().say),
        logged(run.log),
        listening(lambda: _asked_to_stop(stop_file)) as stop,
    ):
        console = screen.console(algorithm.metrics)
        _show_head(console, run, job, preflight)
        tracked = trackers(run, job)
        writer = RunWriter(
            run,
            [console, *tracked, *listeners],
            job.checkpoint.interval_s,
            is_stopping=lambda: stop.requested or is_stopping(),
            # A child of another run starts when its turn comes, not with the command.
            began_at=time.time() if run.info["parent"] else command_started_at(),
        )
        _amend(run, status="running", error=None, ended=None, facts=preflight.facts)
        try:
            outcome = algorithm.train(writer)
        except BaseException as caught:
            error = _in_words(caught, run)
            with contextlib.suppress(OSError):
                writer.close()
            _record_failure(run, error)
            write_report(run)
            finish_tracking(tracked, RunFolder(run.path))
            if error is caught:
                raise
            raise error from caught
        writer.close()
        _record_outcome(run, writer, outcome)
        write_report(run)
        finish_tracking(tracked, RunFolder(run.path))
    return RunFolder(run.path)


def write_report(run: RunFolder) -> None:
    """Write report.html; a page that cannot be made must not lose a run."""
    from trivium.platform.report.page import write_report as write

    try:
        write(RunFolder(run.path))
    except Exception as error:
        print(f"report.html could not be written: {error_text(error)}")


def check(job: Job) -> tuple[Algorithm, Preflight]:
    """The algorithm of `job` and what is known before it starts.

    Raises:
        UserError: the job cannot run as it is; with every reason.
    """
    check_tracking(job)
    algorithm = make_algorithm(job)
    preflight = algorithm.preflight()
    refuse_problems(preflight)
    return algorithm, preflight


def refuse_problems(preflight: Preflight) -> None:
    """Raise the problems that were found, each at the setting that it begins with."""
    if preflight.problems:
        parts = (problem.partition(": ") for problem in preflight.problems)
        raise UserError(*(Mistake(path, message) for path, _, message in parts))


def error_text(error: BaseException) -> str:
    """An error in one sentence; the name of its class only when it was not written for users."""
    return redact(
        str(error) if isinstance(error, TriviumError) else f"{type(error).__name__}: {error}"
    )


def _show_head(console: Console, run: RunFolder, job: Job, preflight: Preflight) -> None:
    console.heading(f"{run.id}  (seed {job.seed})")
    console.facts([*preflight.facts, ("run", run.place)])
    for warning in preflight.warnings:
        console.say(f"warning: {warning}")
    console.say("")


def _asked_to_stop(stop_file: Path) -> None:
    stop_file.touch()
    print("\nstopping: the step is finished and saved first (Ctrl-C again stops at once)")


def _amend(run: RunFolder, **changes: Any) -> None:
    """Change entries of run.json."""
    process = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
    info = RunFolder(run.path).info | process | changes
    write_json(run.path / "run.json", info)


def _in_words(error: BaseException, run: RunFolder) -> BaseException:
    """A full disk shows anywhere: in a line of metrics, a checkpoint, a tracker's file."""
    if isinstance(error, TriviumError) or not is_disk_full(error):
        return error
    return RunFailed(
        f"the disk of {run.path} is full. The last checkpoint is intact: make room and "
        f"`trivium resume {run.id}`"
    )


def _record_failure(run: RunFolder, error: BaseException) -> None:
    stopped = isinstance(error, Interrupted)
    (run.path / STOP_FILE).unlink(missing_ok=True)
    status = "stopped" if stopped else "failed"
    # A disk without room must not hide what went wrong; of a dead process the run counts as failed.
    with contextlib.suppress(OSError):
        if not isinstance(error, TriviumError):
            with run.log.open("a", encoding="utf-8") as log:
                log.write(redact("".join(traceback.format_exception(error))))
        _amend(run, status=status, error=error_text(error), ended=utc_now())


def _record_outcome(run: RunFolder, writer: RunWriter, outcome: Outcome) -> None:
    metrics = outcome.evaluation.metrics
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    for name in metrics:
        if name not in finite:
            print(f"warning: {name} is {metrics[name]}, and left out of the result")
    result = {
        "best_step": outcome.best_step,
        "metrics": finite,
        "wall_time_s": round(writer.time_s, 3),
        "first_step_s": writer.first_step_s and round(writer.first_step_s, 3),
        **outcome.rates,
        "checkpoint": "checkpoints/best",
    }
    write_json(run.path / "result.json", result)
    write_json(run.path / "exhibits.json", to_json(outcome.evaluation.exhibits))
    (run.path / STOP_FILE).unlink(missing_ok=True)
    _amend(run, status="finished", ended=utc_now())
