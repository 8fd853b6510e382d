"""A trial in its worker: trains a child run in a thread, and hands each report to Ray Tune.

The worker is an actor that Tune uses again for the next trial (`reuse_actors`), so that only the
first trial waits for imports. The training goes on while the driver decides; a trial that the
scheduler stops is told by the file `stop` in its folder, saves its best, and ends.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from trivium.platform.errors import TriviumError
from trivium.platform.exhibit import Metric
from trivium.platform.interrupt import Interrupted
from trivium.platform.remote.travel import arrive, left, ticket_of
from trivium.platform.repeats import is_whole, resume_repeats
from trivium.platform.run import Record, RunFolder, write_json
from trivium.platform.run_writer import STOP_FILE
from trivium.platform.runner import Screen, check, error_text, make_algorithm, train
from trivium.tuning.follower import following
from trivium.tuning.objective import Objective, best_value, values_of, without_value
from trivium.tuning.schedulers import REPORTS, VALUE
from trivium.tuning.takeover import begin_stage

ENDED = "ended"
"""In a result: how the trial ended by itself, `finished`, `stopped`, PAUSED or `failed`."""
PAUSED = "paused"
"""The trial is as far as it was asked to come, and saved."""
REASON = "reason"
VALUES = "values"
"""In a result of a finished trial: what it reached in each of several aims."""

Report = Callable[[float, int], None]
"""Told the best value so far and the number of reports."""


class TrialWorker(tune.Trainable):  # type: ignore[misc]
    """Ray Tune's view of a trial; `config` has the child's ticket and what is made best."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial of this actor; see `step`."""
        self._training: TrialThread | None = None
        self._asked = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """End the trial before, which may still be saving, and take the next."""
        self.cleanup()
        self._asked = new_config
        return True

    def __repr__(self) -> str:
        """What Ray's dashboard says of the actor, which has one trial after the other."""
        return f"trials of {Path(self._asked['ticket']['path']).parents[1].name}"

    def step(self) -> dict[str, Any]:
        """The next report; training begins when the first one is asked for.

        An actor that Tune makes for a trial may be thrown away for one that became free meanwhile
        and has the same trial; only the one that is asked to train may touch its run.
        """
        if self._training is None:
            self._training = self._begin(self._asked)
        return self._training.results.get()

    def cleanup(self) -> None:
        """Let the trial save and end."""
        if self._training is not None:
            self._training.stop()
            self._training.join()
            left(self._training.folder)
            self._training = None

    def _begin(self, config: dict[str, Any]) -> "TrialThread":
        objectives = [Objective(**aim) for aim in config["aims"]]
        child = RunFolder(arrive(config["ticket"]))
        training = TrialThread(
            child, objectives, tells_reports=not config["is_final"], until=config["until"]
        )
        training.start()
        return training

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing for Tune to keep: the child's folder has its own checkpoints."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """The child goes on from its own checkpoint."""


class TrialThread(threading.Thread):
    """Trains one child run; `results` has what Tune is told, at most one ahead of it."""

    def __init__(
        self,
        run: RunFolder,
        objectives: Sequence[Objective],
        tells_reports: bool = True,
        until: int | None = None,
    ) -> None:
        super().__init__(name=run.id, daemon=True)
        self._tells_reports = tells_reports
        self.results: queue.Queue[dict[str, Any]] = queue.Queue(maxsize=1)
        self._child, self._objectives, self._until = run, objectives, until
        self._objective = objectives[0]
        self._stopping = threading.Event()
        self._last: dict[str, Any] = {}

    @property
    def folder(self) -> Path:
        """The child's, here."""
        return self._child.path

    def stop(self) -> None:
        """Finish the step, save, end; nobody reads the results any more."""
        self._stopping.set()

    def run(self) -> None:
        """Train to the end, whichever it is, and say which."""
        try:
            train_child(self._child, self._objective, self._report, self._is_stopping, self._until)
            ended, reason = "finished", ""
            if len(self._objectives) > 1:
                measure_costs(self._child)
                self._last[VALUES] = values_of(self._child, self._objectives)
            if VALUE not in self._last:  # it had made its last report before
                value, count = best_value(self._child, self._objective)
                self._last |= {} if value is None else {VALUE: value, REPORTS: count}
            if VALUE not in self._last:
                ended, reason = "failed", without_value(self._child, self._objective)
        except Interrupted as error:
            is_there = self._until is not None and self._last.get(REPORTS, 0) >= self._until
            ended, reason = PAUSED if is_there else "stopped", str(error)
        except BaseException as error:
            ended, reason = "failed", error_text(error)
            if not isinstance(error, TriviumError):
                reason = f"{reason} (see {self._child.log})"
        self._put(self._last | {"done": True, ENDED: ended, REASON: reason})

    def _report(self, value: float, count: int) -> None:
        self._last = {VALUE: value, REPORTS: count}
        if self._tells_reports:  # else no scheduler may stop it
            self._put(self._last)

    def _put(self, result: dict[str, Any]) -> None:
        while not self._is_stopping() or "done" in result:
            try:
                self.results.put(result, timeout=0.2)
                return
            except queue.Full:
                if self._stopping.is_set():
                    return

    def _is_stopping(self) -> bool:
        return self._stopping.is_set() or (self._child.path / STOP_FILE).exists()


def train_child(
    child: RunFolder,
    objective: Objective,
    report: Report,
    is_stopping: Callable[[], bool],
    until: int | None = None,
) -> None:
    """Train the child run from where it stands, over all of its seeds or folds.

    Of a single training each value of the metric is a report; else each finished seed or fold is.
    With `until` it ends by Interrupted, saved, when it has made so many reports.
    """
    if is_whole(child):
        return
    job = child.job()
    if job.repeats is not None:

        def tell(children: Sequence[RunFolder]) -> None:
            values = [best_value(c, objective)[0] for c in children]
            found = [v for v in values if v is not None]
            if found:
                report(sum(found) / len(found), len(children))

        resume_repeats(child, job, Screen(), tell, is_stopping)
        return
    forwarder = _Forwarder(child, objective, report)
    while (stage_until := begin_stage(child, forwarder.count)) is not None:
        with contextlib.suppress(_StageEnds):
            _train_until(child, forwarder, is_stopping, stage_until, _StageEnds)
            return
        forwarder = _Forwarder(child, objective, report)
    _train_until(child, forwarder, is_stopping, until, Interrupted)


def measure_costs(child: RunFolder) -> None:
    """Write what the trained model costs into the result of `child`, and of its seeds or folds."""
    child = RunFolder(child.path)
    if child.info.get("kind") in ("seeds", "folds"):
        for part in child.children():
            measure_costs(part)
        return
    algorithm = make_algorithm(child.job())
    known: Sequence[Metric] = getattr(algorithm, "costs", ())
    if "costs" not in child.result and known:
        costs = dict(algorithm.measure(child))
        write_json(child.path / "result.json", child.result | {"costs": costs})


class _StageEnds(Exception):
    """The settings of the next stage are due."""


def _train_until(
    child: RunFolder,
    forwarder: "_Forwarder",
    is_stopping: Callable[[], bool],
    until: int | None,
    ending: type[Exception],
) -> None:
    """Train from the last checkpoint; raises `ending` after report `until`, and saves before."""
    job = child.job()
    algorithm, preflight = check(job)

    def is_there() -> bool:
        return until is not None and forwarder.count >= until

    def is_over() -> bool:
        return is_there() or is_stopping()

    is_elsewhere = job.resources.most_workers > 1
    heard = following(child, forwarder, is_over) if is_elsewhere else contextlib.nullcontext()
    try:
        with heard:
            train(child, job, algorithm, Screen(), preflight, [forwarder], is_over)
    except Interrupted:
        if is_there() and not is_stopping():
            raise ending(f"paused after report {forwarder.count}") from None
        raise


class _Forwarder:
    """Follows the child run and passes on the best value so far at each report of the metric."""

    def __init__(self, child: RunFolder, objective: Objective, report: Report) -> None:
        self._objective, self._report = objective, report
        checkpoint = child.checkpoint("last")
        # Lines after the last checkpoint are taken back when the run goes on from it.
        before = child.metrics()[: checkpoint.num_reports] if checkpoint else []
        self._best, self.count = objective.best_of(before)

    def report(self, record: Record) -> None:
        """Pass on a record that has the metric."""
        if self._objective.metric not in record:
            return
        self.count += 1
        self._best = self._objective.better(self._best, record[self._objective.metric])
        if self._best is not None:
            self._report(self._best, self.count)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Not passed on."""

    def say(self, text: str) -> None:
        """Not passed on: it is in the child's log."""

    def close(self) -> None:
        """Nothing to close."""


def config_of(
    child: RunFolder, objectives: Sequence[Objective], is_final: bool, until: int | None = None
) -> dict[str, Any]:
    """What a TrialWorker is told of its trial; a run of the final tells only its end."""
    return {
        "ticket": ticket_of(child.path),
        "aims": [asdict(o) for o in objectives],
        "is_final": is_final,
        "until": until,
    }
