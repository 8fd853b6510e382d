"""When a training goes on from its last checkpoint after workers ended, and when the run ends.

A machine or a process that dies is nobody's mistake: the others save what they can and all begin
anew. An error that a worker raised comes again, so it ends the run at once.
"""

from typing import Any

from ray.exceptions import RayTaskError
from ray.train.v2._internal.exceptions import (
    WorkerGroupStartupFailedError,
    WorkerGroupStartupTimeoutError,
)
from ray.train.v2._internal.execution.failure_handling import FailureDecision, FailurePolicy
from ray.train.v2.api.config import FailureConfig
from ray.train.v2.api.exceptions import ControllerError, PreemptionError

from trivium.trainers.deaths import cause_of_death, deaths, is_out_of_memory
from trivium.trainers.supervised.witness import Witness
from trivium.trainers.supervised.worker_failure import LESS_MEMORY, Ends, explain

MOST_IN_A_ROW = 3
"""Deaths without a new checkpoint between them, such as of a batch that never fits the memory."""


class GoOn(FailurePolicy):  # type: ignore[misc]
    """Begin anew from the last checkpoint as long as checkpoints come between the deaths."""

    def __init__(self, witness: Witness) -> None:
        super().__init__(FailureConfig())
        self._witness = witness
        self._step, self._in_a_row = 0, 0

    def make_decision(self, training_failed_error: Any) -> FailureDecision:
        """What Ray Train asks after each attempt that did not end well."""
        if _is_notice(training_failed_error):
            self._witness.note("a worker had notice to go; all is saved, training goes on from it")
            return FailureDecision.RETRY
        if not _is_death(training_failed_error):
            return FailureDecision.RAISE
        if isinstance(_cause(training_failed_error), WorkerGroupStartupTimeoutError):
            return FailureDecision.RETRY  # no room yet: a node has to come
        step = self._saved_step()
        self._in_a_row = 1 if step > self._step else self._in_a_row + 1
        self._step = max(step, self._step)
        if self._in_a_row > MOST_IN_A_ROW:
            return FailureDecision.RAISE
        what = str(explain(training_failed_error))
        if isinstance(training_failed_error, ControllerError):
            what = f"a worker died while they started{_named_cause(training_failed_error)}"
        self._witness.note(f"{what}; training goes on from the last checkpoint")
        return FailureDecision.RETRY

    def note_growth(self, num_workers: int) -> None:
        """Told before the workers are ended to become more."""
        self._witness.note(f"there is room for {num_workers} workers; training goes on with them")

    def _saved_step(self) -> int:
        try:
            return self._witness.saved_step()
        except Exception:  # a store that does not answer now says nothing about the training
            return self._step + 1


def _cause(error: Any) -> Any:
    return error.controller_failure if isinstance(error, ControllerError) else error


def _named_cause(error: ControllerError) -> str:
    """Of a death at the start: what its error, or the one behind that, knows of memory."""
    for failure in (_cause(error), _cause(error).__cause__):
        if isinstance(failure, BaseException) and is_out_of_memory(failure):
            return f"; {cause_of_death(failure, LESS_MEMORY)}"
    return ""


def _is_notice(error: Any) -> bool:
    ends = Ends(getattr(error, "worker_failures", {}))
    return isinstance(error, PreemptionError) or bool(ends.left and not ends.raised)


def _is_death(error: Any) -> bool:
    if isinstance(error, ControllerError):
        starting = (WorkerGroupStartupFailedError, WorkerGroupStartupTimeoutError)
        # A worker that dies while they look for each other shows as the others' error.
        return isinstance(_cause(error), (*starting, *deaths(), RayTaskError))
    ends = Ends(getattr(error, "worker_failures", {}))
    return bool(ends.died) or not ends.raised
