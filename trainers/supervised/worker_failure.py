"""What went wrong on the workers, told as one error: the first one, with its rank and its node."""

import re
import socket
import time
import traceback
from typing import Self

from trivium.platform.errors import RunFailed, TriviumError


class WorkerFailure(Exception):
    """An error of one worker, in a form that always travels back."""

    def __init__(
        self, rank: int, node: str, failed_at: float, text: str, error: TriviumError | None
    ) -> None:
        super().__init__(rank, node, failed_at, text, error)
        self.rank, self.node, self.failed_at = rank, node, failed_at
        self.text, self.error = text, error

    @classmethod
    def of(cls, error: BaseException, rank: int) -> Self:
        """`error` as caught on this node; its traceback begins after the frame that caught it."""
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
        text = "".join(traceback.format_exception(error)).rstrip()
        own = error if isinstance(error, TriviumError) else None
        return cls(rank, socket.gethostname(), time.time(), text, own)


def explain(error: Exception) -> TriviumError:
    """What went wrong first, of all that workers and Ray report when one of them fails."""
    failures = {
        rank: getattr(failure, "_base_exc", failure)  # Ray Train wraps what a worker raised
        for rank, failure in getattr(error, "worker_failures", {}).items()
    }
    raised = [f for f in failures.values() if isinstance(f, WorkerFailure)]
    died = {rank: f for rank, f in failures.items() if not isinstance(f, WorkerFailure)}
    if died:
        return RunFailed(f"worker {min(died)} died; {_cause_of_death(died[min(died)])}")
    if not raised:
        return RunFailed(f"the workers could not run: {_cause_of_death(error)}")
    first = min(raised, key=lambda f: f.failed_at)  # the others then lose their connection to it
    if first.error is not None:
        return first.error
    return RunFailed(f"worker {first.rank} on {first.node} failed:\n{first.text}")


def _cause_of_death(failure: BaseException) -> str:
    """Ray's own words; of a process that ended, without the lists of identifiers around them."""
    found = re.search(r"Worker exit type:.*?(?= Some common causes|$)", str(failure), re.S)
    if found is None:
        return str(failure)
    return f"most often the machine is out of memory. {found[0].strip()}"
