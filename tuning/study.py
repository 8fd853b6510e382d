"""The study: every trial in an Optuna storage, which outlives the driver and feeds the dashboard.

Trial N of the study is the child run N of the sweep. Ray Tune's own experiment files are not
used: a killed sweep is rebuilt from the study and the children's run.json.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ray.tune.search import Searcher as TuneSearcher
from ray.tune.search.optuna import OptunaSearch

from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective, best_value, values_of
from trivium.tuning.rounds import Round, Standing
from trivium.tuning.schedulers import REPORTS, VALUE
from trivium.tuning.settings import Value
from trivium.tuning.space import Space
from trivium.tuning.trial import ENDED, REASON, VALUES, config_of

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study


class Trials(Protocol):
    """What the search asks of the sweep, and tells it."""

    def new_child(self, number: int, point: Point) -> RunFolder:
        """The run folder of a new trial.

        Raises:
            UserError: the job does not take the point.
        """

    def ended(self, number: int, ended: str, value: float | None, reason: str) -> None:
        """A trial ended: finished, pruned, stopped (by the user) or failed."""

    def next_final(self) -> RunFolder | None:
        """A run of the final comparison, None when there are no more."""

    def round_begins(self, number: int, decided: Round, standing: Standing) -> None:
        """A scheduler in rounds decided how it goes on."""

    def waits(self, number: int) -> None:
        """A trial came to the end of its round."""

    def stumbled(self, number: int, reason: str) -> None:
        """A trial failed, and may go on from another one's checkpoint."""


def final_value(
    child: RunFolder, objectives: Sequence[Objective]
) -> float | tuple[float, ...] | None:
    """What the study is told of a child that finished."""
    if len(objectives) > 1:
        return values_of(child, objectives)
    return best_value(child, objectives[0])[0]


def no_space(_trial: object) -> dict[str, Value]:
    """OptunaSearch wants a space before it makes its study; ours is drawn in `suggest`."""
    return {}


class SweepSearch(OptunaSearch):  # type: ignore[misc]
    """Ray Tune's Optuna searcher, with conditional spaces, trials to continue, and a final."""

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        sampler: "BaseSampler",
        storage: "BaseStorage",
        study_name: str,
        sweep: Trials,
        is_stopping: Callable[[], bool],
        num_trials: int,
        keeps_pruned: bool,
    ) -> None:
        super().__init__(
            space=no_space,
            metric=VALUE if len(objectives) == 1 else [o.metric for o in objectives],
            mode=objectives[0].mode if len(objectives) == 1 else [o.mode for o in objectives],
            sampler=sampler,
            storage=storage,
            study_name=study_name,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna calls it experimental
            self.study.set_metric_names([o.metric for o in objectives])  # what the dashboard says
        self._our_space, self._sweep = space, sweep
        self._objective, self._objectives = objectives[0], objectives
        self._is_stopping, self._num_trials = is_stopping, num_trials
        self._keeps_pruned = keeps_pruned
        self._running: dict[str, int | None] = {}
        self._continued: list[tuple[int, RunFolder | None]] = []
        self._num_begun = 0

    @property
    def study(self) -> "Study":
        """Optuna's study."""
        return self._ot_study

    @property
    def closed(self) -> set[int]:
        """Trials that ended with a value, as the study has it."""
        from optuna.trial import TrialState

        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return {t.number for t in self.study.get_trials(deepcopy=False, states=states)}

    def enqueue(self, points: Sequence[Point]) -> None:
        """Try these first."""
        for point in points:
            self.study.enqueue_trial(self._our_space.encoded(point))

    def recover(self, children: Mapping[int, RunFolder]) -> None:
        """Take up a study whose driver died: tell what ended unheard, continue what did not."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            child = children.get(trial.number)
            recorded = child.info["status"] if child else "pending"
            value = final_value(child, self._objectives) if child else None
            if recorded not in ("finished", "failed"):
                self._continued.append((trial.number, child))
            elif recorded == "finished" and value is not None:
                self.study.tell(trial.number, value)
            else:
                self.study.tell(trial.number, state=TrialState.FAIL)
        waiting = (TrialState.WAITING,)
        self._num_begun = len(self.study.get_trials(deepcopy=False))
        self._num_begun -= len(self.study.get_trials(deepcopy=False, states=waiting))

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial; None while the final waits for trials that run."""
        if self._is_stopping():
            return str(TuneSearcher.FINISHED)
        while self._continued or self._num_begun < self._num_trials:
            trial, child = self._next()
            try:
                # What was drawn before a kill is drawn again, the same.
                child = child or self._sweep.new_child(trial.number, self._our_space.draw(trial))
            except UserError as error:  # two settings that do not go together
                self._fail(trial, str(error))
                continue
            self._ot_trials[trial_id] = trial
            return self._begin(trial_id, trial.number, child)
        if any(number is not None for number in self._running.values()):
            return None
        final = self._sweep.next_final()
        if final is None:
            return str(TuneSearcher.FINISHED)
        return self._begin(trial_id, None, final)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep the value, for the curves of the dashboard; Optuna has none for several aims."""
        if len(self._objectives) > 1:
            return
        if self._running.get(trial_id) is not None and VALUE in result:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a report that was made before a resume
                self._ot_trials[trial_id].report(result[VALUE], result[REPORTS])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study, then the sweep."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        result = result or {}
        ended = "failed" if error else result.get(ENDED, "pruned")
        reason = result.get(REASON, "the worker process died (killed, or out of memory)")
        value = result.get(VALUE)
        if ended == "stopped" and not self._is_stopping():
            ended = "pruned"  # its stop file was seen before Tune let go of it
        values = result.get(VALUES)
        if len(self._objectives) > 1 and ended == "finished" and values is None:
            ended, reason = "failed", f"has no finite {' and '.join(self._aims)}"
        self._tell(self._ot_trials.pop(trial_id), ended, values or value)
        self._sweep.ended(number, ended, value, reason)

    def save(self, checkpoint_path: str) -> None:
        """Nothing for Tune to save: the study is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """See `recover`."""

    def _begin(self, trial_id: str, number: int | None, child: RunFolder) -> dict[str, Any]:
        self._running[trial_id] = number
        return config_of(child, self._objectives, is_final=number is None)

    def _next(self) -> tuple[Any, RunFolder | None]:
        """A trial to continue and its child (None: it was killed before it had one), else a new."""
        from optuna.trial import Trial

        if not self._continued:
            self._num_begun += 1
            return self.study.ask(), None
        number, child = self._continued.pop(0)
        frozen = self.study.get_trials(deepcopy=False)[number]
        return Trial(self.study, frozen._trial_id), child

    def _fail(self, trial: Any, reason: str) -> None:
        self._tell(trial, "failed", None)
        self._sweep.ended(trial.number, "failed", None, reason)

    @property
    def _aims(self) -> list[str]:
        return [o.metric for o in self._objectives]

    def _tell(self, trial: Any, ended: str, value: float | Sequence[float] | None) -> None:
        from optuna.trial import TrialState

        if ended == "stopped":
            return  # the study has it as running: a resume goes on with it
        if ended == "failed" or value is None:
            self.study.tell(trial, state=TrialState.FAIL)
        elif ended == "pruned" and self._keeps_pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, value)
