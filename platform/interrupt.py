"""Ctrl-C once: finish the step, save, report. Twice: stop now. SIGTERM counts as the first."""

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from trivium.platform.errors import TriviumError


class Interrupted(TriviumError):
    """The run stopped because it was asked to, after saving its state."""

    exit_code = 130  # the shell's number for "ended by Ctrl-C"


class Stop:
    """Whether somebody asked to stop; looked at between steps."""

    def __init__(self) -> None:
        self.requested = False

    def __bool__(self) -> bool:
        return self.requested


@contextmanager
def listening(on_first: Callable[[], None]) -> Iterator[Stop]:
    """Within, the first SIGINT or SIGTERM sets the flag; the next one ends the process at once.

    `on_first` may print: it is called in a thread of its own, because the signal may come while
    the main thread is inside a write to the same file, which Python refuses to enter twice.
    Signals reach the main thread only: in another one (a trial of a sweep) nothing is listened to.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        stop.requested = True
        asked.put(True)  # the one queue whose `put` may be called from within itself

    def tell() -> None:
        if asked.get():
            on_first()

    asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(False)
        teller.join()


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Put the handlers of SIGINT and SIGTERM back afterwards: Ray replaces them when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
