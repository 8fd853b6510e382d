"""The search of a sweep whose scheduler trains trials in rounds: see `trivium.tuning.rounds`.

To Ray Tune each stretch of a trial's training is a trial of its own in a warm actor; to the study
and the sweep the trial is one, and ends once.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder
from trivium.tuning.objective import Objective, best_value
from trivium.tuning.plan import Plan
from trivium.tuning.rounds import InRounds, Member, Round, Standing, read_rounds, write_round
from trivium.tuning.schedulers import VALUE
from trivium.tuning.study import SweepSearch
from trivium.tuning.takeover import take_over
from trivium.tuning.trial import ENDED, PAUSED, REASON, config_of


class RoundSearch(SweepSearch):
    """Suggests what is left of a round; when nothing is, asks the scheduler for the next one."""

    def __init__(self, run: RunFolder, plan: Plan, scheduler: InRounds, **search: Any) -> None:
        super().__init__(**search)
        self._run, self._plan, self._scheduler = run, plan, scheduler
        self._rounds = read_rounds(run)
        self._queue: deque[int] = deque()
        self._are_over = False
        self._open: dict[int, Any] = {}

    def recover(self, children: Mapping[int, RunFolder]) -> None:
        """Take up the round in which the driver died."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            child = children.get(trial.number)
            if child is not None and child.info["status"] == "finished":
                self.study.tell(trial.number, best_value(child, self._objective)[0])
        if self._rounds:
            self._begin_round(self._rounds[-1])

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """A trial of the round that is not there yet; None while the last ones still train."""
        while not self._is_stopping() and not self._are_over:
            if not self._queue:
                if self._running:
                    return None
                self._decide()
                continue
            number = self._queue.popleft()
            try:
                child = self._child(number)
            except UserError as error:  # two settings that do not go together
                self._fail(self._trial(number), str(error))
                continue
            self._running[trial_id] = number
            until = self._rounds[-1].until
            return config_of(child, self._objectives, is_final=False, until=until)
        return super().suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep the value, for the curves of the dashboard."""
        number = self._running.get(trial_id)
        if number is not None and VALUE in result:
            self._ot_trials[trial_id] = self._trial(number)
            super().on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A stretch ended: the trial waits for the next round, or it ended with it."""
        number = self._running.pop(trial_id, None)
        self._ot_trials.pop(trial_id, None)
        if number is None:
            return
        result = result or {}
        ended = "failed" if error else result.get(ENDED, "failed")
        reason = result.get(REASON, "the worker process died (killed, or out of memory)")
        if ended == PAUSED:
            self._sweep.waits(number)
        elif ended == "failed" and self._scheduler.rescues:
            self._sweep.stumbled(number, reason)
        else:
            self._tell(self._trial(number), ended, result.get(VALUE))
            self._sweep.ended(number, ended, result.get(VALUE), reason)

    def _decide(self) -> None:
        import numpy as np

        standing = Standing(
            tuple(self._rounds),
            self._members(),
            self._objective,
            self._our_space,
            self._num_trials,
            np.random.default_rng((self._plan.job.seed, len(self._rounds))),
        )
        decided = self._scheduler.next_round(standing)
        going = set(decided.trials) if decided else set()
        lost = [m.number for m in standing.members.values() if m.value is None and m.is_over]
        for number in lost:
            if number not in going and self._is_open(number):
                self._tell(self._trial(number), "failed", None)
        if decided is None:
            self._are_over, self._num_begun = True, self._num_trials
            return
        write_round(self._run, decided)
        self._rounds.append(decided)
        self._sweep.round_begins(len(self._rounds), decided, standing)
        self._begin_round(decided)

    def _begin_round(self, decided: Round) -> None:
        """Do what was decided, as far as it is not done, and line up who has to train."""
        for number in decided.ended:
            if self._is_open(number):
                value, _ = best_value(self._folder(number), self._objective)
                self._tell(self._trial(number), "pruned", value)
                self._sweep.ended(number, "pruned", value, "")
        for take in decided.takes:
            job = self._plan.trial_job(take.settings, seed=self._plan.job.seed, seeds=1)
            child, donor = self._folder(take.trial), self._folder(take.donor)
            take_over(child, donor, job, take.settings, len(self._rounds), self._objective)
        self._queue = deque(n for n in decided.trials if not self._is_there(n, decided.until))

    def _is_there(self, number: int, until: int | None) -> bool:
        """The trial needs no training in a round that goes to `until` reports."""
        child = self._folder(number)
        if not (child.path / "run.json").is_file():
            known = self.study.get_trials(deepcopy=False)  # points to be tried first wait there
            return number < len(known) and known[number].state.is_finished()
        if child.info["status"] in ("finished", "failed"):
            return True
        return until is not None and _saved_reports(child, self._objective) >= until

    def _members(self) -> dict[int, Member]:
        found = {}
        for number in {n for r in self._rounds for n in r.trials}:
            child = self._folder(number)
            if not (child.path / "run.json").is_file():
                continue  # its settings did not go together
            values = [
                r[self._objective.metric] for r in child.metrics() if self._objective.metric in r
            ]
            status = child.info["status"]
            found[number] = Member(
                number,
                values[-1] if values and status != "failed" else None,
                best_value(child, self._objective)[0],
                child.info["tune"]["settings"],
                is_over=status in ("finished", "failed"),
            )
        return found

    def _child(self, number: int) -> RunFolder:
        """The folder of a trial, which begins with what the searcher draws for it."""
        child = self._folder(number)
        if (child.path / "run.json").is_file():
            return child
        trial = self._trial(number)
        return self._sweep.new_child(number, self._our_space.draw(trial))

    def _trial(self, number: int) -> Any:
        from optuna.trial import Trial

        if number in self._open:  # making one asks the sampler anew
            return self._open[number]
        known = self.study.get_trials(deepcopy=False)
        if number < len(known) and known[number].state.name != "WAITING":
            trial = Trial(self.study, known[number]._trial_id)
        else:
            trial = self.study.ask()
        assert trial.number == number, "the study of a sweep is its own"
        self._open[number] = trial
        return trial

    def _is_open(self, number: int) -> bool:
        """The study still waits for its end."""
        known = self.study.get_trials(deepcopy=False)
        return number < len(known) and known[number].state.name == "RUNNING"

    def _folder(self, number: int) -> RunFolder:
        return RunFolder(self._run.path / "children" / str(number))


def _saved_reports(child: RunFolder, objective: Objective) -> int:
    """Reports of the metric up to the last checkpoint."""
    checkpoint = child.checkpoint("last")
    records = child.metrics()[: checkpoint.num_reports] if checkpoint else []
    return objective.best_of(records)[1]
