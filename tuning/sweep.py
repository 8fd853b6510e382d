"""A sweep: one run of kind `tune` whose children are its trials, run by Ray Tune.

    sweep.json     what is searched and made best, and the job as it was written
    study.log      Optuna's journal of all trials (unless `tune.storage` names another place)
    children/N     trial N, a run like any other; children/N-seedI its repetitions in the final
    metrics.jsonl  a line for each trial that ended

Trials on other machines than the driver's need a remote store, or one on a shared disk.
"""

import contextlib
import os
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any

from trivium.platform.algorithm import Preflight
from trivium.platform.errors import RunFailed, TriviumError, UserError
from trivium.platform.interrupt import Interrupted, listening
from trivium.platform.job import Job, write_job
from trivium.platform.logs import logged
from trivium.platform.remote.kept import kept
from trivium.platform.remote.reading import refreshed
from trivium.platform.run import RunFolder, process_started, utc_now, write_json
from trivium.platform.run_writer import STOP_FILE
from trivium.platform.runner import Screen, begin, error_text, write_report
from trivium.platform.store import Store
from trivium.tuning.engine import search
from trivium.tuning.objective import best_value, without_value
from trivium.tuning.plan import PLAN, Plan, make_plan, plan_content, read_plan
from trivium.tuning.progress import SweepProgress
from trivium.tuning.rounds import InRounds, Round, Standing
from trivium.tuning.takeover import write_stages
from trivium.tuning.trials import EARLY, children_of, ended_of

SAVING_S = 20.0
"""How long trials that were told to stop may take to save before their worker goes."""


def start_sweep(job: Job, data: Mapping[str, Any], store: Store, screen: Screen) -> RunFolder:
    """Tune `job`; `data` is the job as it was written.

    Raises:
        UserError: the job or its section `tune` is not right; no run was made.
        RunFailed: too many trials failed.
        Interrupted: the user asked to stop; `resume_sweep` goes on.
    """
    plan, preflight = make_plan(job, data)
    run = store.create(job.name)
    begin(run, job, "tune")
    write_json(run.path / PLAN, plan_content(plan))
    return _run(run, plan, screen, preflight)


def resume_sweep(run: RunFolder, screen: Screen) -> RunFolder:
    """Go on with a sweep that was stopped, killed or failed."""
    _wait_for_dead(run)
    return _run(run, read_plan(run), screen, None)


def _run(run: RunFolder, plan: Plan, screen: Screen, preflight: Preflight | None) -> RunFolder:
    """Search, compare the best, write how it ended."""
    from trivium.tuning.outcome import write_outcome

    sweep = Sweep(run, plan, SweepProgress(run, plan, screen.console()))
    with (
        kept(run.path, screen.console().say),
        logged(run.log),
        listening(sweep.ask_to_stop) as stop,
    ):
        sweep.progress.head(preflight)
        _amend(run, status="running", error=None, ended=None)
        began = time.monotonic()
        try:
            search(sweep, verbose=screen.verbose)
            refreshed(run.path)
            write_outcome(run, plan, time.monotonic() - began)
            if stop:
                raise Interrupted(f"stopped after {sweep.progress.standing()}; all is saved")
            if sweep.has_failed:
                raise RunFailed(
                    f"gave up: {sweep.num_failed} trials failed, more than tune.max_failures: "
                    f"{plan.settings.max_failures}; the last one: {sweep.last_reason}"
                )
            if not RunFolder(run.path).result:
                raise RunFailed(f"no trial has a value; the last one: {sweep.last_reason}")
        except BaseException as error:
            status = "stopped" if isinstance(error, Interrupted) else "failed"
            _amend(run, status=status, error=error_text(error), ended=utc_now())
            write_report(run)
            raise
        finally:
            sweep.progress.close()
        _amend(run, status="finished", ended=utc_now())
        write_report(run)
    return RunFolder(run.path)


class Sweep:
    """The driver's side of a running sweep: makes children, hears how they end."""

    def __init__(self, run: RunFolder, plan: Plan, progress: SweepProgress) -> None:
        self.run, self.plan, self.progress = run, plan, progress
        self.num_failed = 0
        self.last_reason = ""
        self.is_stopping = False
        self._pruned: list[RunFolder] = []
        self._finals: list[RunFolder] | None = None
        # Where the code came from is the same for all children, and slow to find out.
        process = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
        fresh = {"status": "pending", "ended": None, "error": None}
        self._info = run.info | process | fresh

    @property
    def has_failed(self) -> bool:
        """More trials failed than are allowed."""
        return self.num_failed > self.plan.settings.max_failures

    def trials(self) -> dict[int, RunFolder]:
        """The trials that were begun, by number."""
        found = (c for c in children_of(self.run) if c.path.name.isdigit())
        return {int(c.path.name): c for c in found}

    def catch_up(self, trials: Mapping[int, RunFolder], closed: Container[int]) -> None:
        """Write what an earlier driver, which was killed, did not hear or write any more.

        `closed` are the trials that the study does not wait for.
        """
        objective = self.plan.objective
        for number, child in trials.items():
            value, _ = best_value(child, objective)
            status = child.info["status"]
            if status == "finished" and value is None:
                reason = without_value(child, objective)
                _amend(child, status="failed", error=reason, ended=child.info["ended"])
            elif number in closed and status not in ("finished", "failed"):
                _amend(child, status="stopped", error=self._stopped_early, ended=utc_now())
            ended = ended_of(RunFolder(child.path))
            if ended is not None and number not in self.progress.told:
                reason = str(RunFolder(child.path).info.get("error") or "")
                self.progress.trial_ended(number, ended, value, reason)

    def new_child(self, number: int, point: Mapping[str, Any]) -> RunFolder:
        """The run folder of trial `number`."""
        settings = self.plan.settings
        job = self.plan.trial_job(point, seed=self.plan.job.seed, seeds=settings.seeds)
        return self._make(str(number), job, {"trial": number, "settings": dict(point)})

    def next_final(self) -> RunFolder | None:
        """A run of the final comparison that is not finished yet."""
        from trivium.tuning.finals import final_runs

        if self._finals is None:
            wanted = [] if self.has_failed else final_runs(self.run, self.plan)
            if wanted:
                self.progress.say_final(len(wanted))
            self._finals = [
                self._make(w.name, w.job, {"final_of": w.of, "settings": dict(w.point)}, w.stages)
                for w in wanted
            ]
        left = [c for c in self._finals if RunFolder(c.path).status != "finished"]
        self._finals = left[1:]
        return left[0] if left else None

    def ended(self, number: int, ended: str, value: float | None, reason: str) -> None:
        """Count a trial that ended, and tell it to save when the scheduler stopped it."""
        child = RunFolder(self.run.path / "children" / str(number))
        if child.path.is_dir() and child.info["status"] == "pending":
            with contextlib.suppress(TriviumError):  # all are brought at the end
                refreshed(child.path)  # its worker was on another machine
        if ended == "pruned" and self._waits(child):
            _amend(child, status="stopped", error=self._stopped_early, ended=utc_now())
        elif ended == "pruned":
            (child.path / STOP_FILE).touch()
            self._pruned.append(child)
        if ended == "failed":
            self.num_failed += 1
            self.last_reason = reason
            if child.path.is_dir() and RunFolder(child.path).info["status"] != "failed":
                _amend(child, status="failed", error=reason, ended=utc_now())
        if ended != "stopped":
            self.progress.trial_ended(number, ended, value, reason)
        if self.has_failed and not self.is_stopping:
            self.stop_running()

    def round_begins(self, number: int, decided: Round, standing: Standing) -> None:
        """Say what a scheduler in rounds decided."""
        self.progress.round_begins(number, decided, standing)

    def waits(self, number: int) -> None:
        """A trial came to the end of its round: it did not stop, its turn comes again."""
        child = RunFolder(self.run.path / "children" / str(number))
        with contextlib.suppress(TriviumError):  # all are brought at the end
            refreshed(child.path)  # its worker was on another machine
        _amend(child, status="pending", error=None, ended=None)

    def stumbled(self, number: int, reason: str) -> None:
        """Count a trial that failed but may go on from another one's checkpoint."""
        child = RunFolder(self.run.path / "children" / str(number))
        _amend(child, status="failed", error=reason, ended=utc_now())
        self.num_failed += 1
        self.last_reason = reason
        self.progress.say_failed(number, reason)
        if self.has_failed and not self.is_stopping:
            self.stop_running()

    def ask_to_stop(self) -> None:
        """Ctrl-C: no new trials, those that run save and end."""
        print("\nstopping: trials that run save first (Ctrl-C again stops at once)")
        self.stop_running()

    def stop_running(self) -> None:
        """Tell every trial that runs to save and end; none begins any more."""
        self.is_stopping = True
        for child in children_of(self.run):
            if child.info["status"] in ("pending", "running"):
                (child.path / STOP_FILE).touch()

    def settle(self) -> None:
        """Wait until the trials that the scheduler stopped have saved; say so in their run.json."""
        until = time.monotonic() + SAVING_S
        for child in self._pruned:
            while time.monotonic() < until and _is_running(child):
                time.sleep(0.05)
            if not _is_running(child) and RunFolder(child.path).info["status"] == "stopped":
                _amend(child, error=self._stopped_early)

    @property
    def _stopped_early(self) -> str:
        name = self.plan.settings.scheduler.name
        return f"{EARLY} by {name}: others did better by then"

    def _waits(self, child: RunFolder) -> bool:
        """It trains in rounds, and no worker has it."""
        is_pending = RunFolder(child.path).info["status"] == "pending"
        return isinstance(self.plan.scheduler, InRounds) and is_pending

    def _make(
        self,
        name: str,
        job: Job,
        tune: Mapping[str, Any],
        stages: Sequence[tuple[int | None, Job]] = (),
    ) -> RunFolder:
        child = RunFolder(self.run.path / "children" / name)
        (child.path / STOP_FILE).unlink(missing_ok=True)
        if not (child.path / "run.json").is_file():
            child.path.mkdir(parents=True, exist_ok=True)
            (child.path / "job.yaml").write_text(write_job(job), encoding="utf-8")
            if stages:
                write_stages(child, stages)
            info = self._info | {
                "id": child.id,
                "kind": job.repeats.kind if job.repeats else "train",
                "started": utc_now(),
                "seed": job.seed,
                "parent": self.run.id,
                "tune": dict(tune),
            }
            write_json(child.path / "run.json", info)  # last: with it the child is whole
        return RunFolder(child.path)


def _wait_for_dead(run: RunFolder) -> None:
    """Workers of a killed driver die with it, a moment later; two must not write one child."""
    until = time.monotonic() + SAVING_S
    for child in children_of(run):
        while _is_running(child):
            if time.monotonic() > until:
                pid = child.info.get("pid")
                raise UserError(f"{child.id} is still running (process {pid}); stop it first")
            time.sleep(0.2)


def _is_running(child: RunFolder) -> bool:
    return RunFolder(child.path).status == "running"


def _amend(run: RunFolder, **changes: Any) -> None:
    process = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
    write_json(run.path / "run.json", RunFolder(run.path).info | process | changes)
