"""Hears the reports of a trial whose training loop runs in other processes.

With several workers the first of them writes the child's `metrics.jsonl`; its lines are passed on
from here, and a stop is passed back by the file `stop` that the worker looks at.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from trivium.platform.run import RunFolder
from trivium.platform.run_writer import STOP_FILE, Listener, RunWriter

LOOK_S = 0.25


@contextlib.contextmanager
def following(
    child: RunFolder, listener: Listener, is_stopping: Callable[[], bool]
) -> Iterator[None]:
    """Pass new lines of `child` to `listener.report` while the block runs, from another thread."""
    RunWriter(child).resume()  # takes back what was reported after the checkpoint, as training does
    over = threading.Event()
    num_told = len(child.metrics())

    def tell() -> None:
        nonlocal num_told
        for record in child.metrics()[num_told:]:
            listener.report(record)
            num_told += 1

    def follow() -> None:
        while not over.wait(LOOK_S):
            tell()
            if is_stopping():
                (child.path / STOP_FILE).touch()

    thread = threading.Thread(target=follow, name=f"follow {child.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        tell()
