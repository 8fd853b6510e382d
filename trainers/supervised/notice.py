"""A notice that this worker is about to go: all of them save at the next step, and end together.

Three give it: SIGTERM to the worker's process, Ray's word that its node is being drained (a spot
machine that is reclaimed), and the controller before it changes the number of workers.
"""

import signal
import threading

from trivium.platform.errors import TriviumError

_notice = threading.Event()


class Leaving(TriviumError):
    """A worker ended because it had notice, after the state was saved."""


def give_notice() -> None:
    """Tell this process; also what its controller calls here."""
    _notice.set()


def listen_to_sigterm() -> None:
    """From now on SIGTERM is a notice; to be called in the main thread of the worker's process."""
    signal.signal(signal.SIGTERM, lambda *_: give_notice())


def has_notice() -> bool:
    """Whether this worker, one of Ray Train's, was told that it will go."""
    if _notice.is_set():
        return True
    # Ray's public `get_preemption_info` makes the workers wait for each other at every call.
    from ray.train.v2._internal.execution.context import get_train_context

    return get_train_context().preemption_context.preemption_info is not None
