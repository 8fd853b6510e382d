"""`python counted.py FILE VERB ...`: the command `trivium VERB ...`, its messages counted.

Ray Train's controller runs in a thread of the command, so what it asks of the workers and what
they answer goes through this process. Nothing is changed but that the calls are counted. FILE gets
a line ten times a second: `{"at", "cpu_s", "calls", "reports", "sent", "received", "segments"}`.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVERY_S = 0.1
calls: Counter[str] = Counter()
"""Ray calls that this process made, by the name of the method or task."""
reports: Counter[str] = Counter()
"""What workers handed to `ray.train.report` and a poll brought here."""


def count_calls() -> None:
    """Put counters where every call of an actor, task or actor's making passes."""
    from ray.actor import ActorClass, ActorHandle
    from ray.remote_function import RemoteFunction
    from ray.train.v2._internal.execution.worker_group import WorkerGroup

    _before(ActorHandle, "_actor_method_call", lambda arguments: calls.update([arguments[1]]))
    _before(ActorClass, "_remote", lambda _: calls.update(["a new actor"]))
    _before(RemoteFunction, "_remote", lambda _: calls.update(["a task"]))
    poll = WorkerGroup.poll_status

    def polled(self: Any, *arguments: Any, **named: Any) -> Any:
        status = poll(self, *arguments, **named)
        found = [s for s in status.worker_statuses.values() if s.training_report is not None]
        reports.update(report=len(found))
        return status

    WorkerGroup.poll_status = polled


def _before(owner: Any, name: str, count: Callable[[Any], None]) -> None:
    function = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        count(arguments)
        return function(*arguments, **named)

    setattr(owner, name, counted)


def _write(file: Path, is_over: threading.Event) -> None:
    from sockets import tcp_bytes

    with file.open("a") as stream:
        while True:
            was_last = is_over.wait(EVERY_S)
            line = {"at": time.time(), "cpu_s": time.process_time(), "calls": dict(calls)}
            line |= {"reports": reports["report"], **tcp_bytes()._asdict()}
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            if was_last:
                return


def main() -> None:
    """Count, and run the command line to its end."""
    file, is_over = Path(sys.argv[1]), threading.Event()
    count_calls()
    writer = threading.Thread(target=_write, args=(file, is_over))
    writer.start()
    from trivium.platform.cli import main as command_line

    try:
        command_line(sys.argv[2:])
    finally:
        is_over.set()
        writer.join()


if __name__ == "__main__":
    main()
