"""What went wrong on the workers, told as one error: the first one, with its rank and its node."""

import re
import socket
import time
import traceback
from typing import Any, Literal, Self

from trivium.platform.errors import RunFailed, TriviumError
from trivium.trainers.deaths import cause_of_death, deaths, is_out_of_memory
from trivium.trainers.supervised.notice import Leaving

Kind = Literal["raised", "lost", "left"]
"""Of a worker's end: its own error, the loss of another worker, or a notice that it obeyed."""

_LOST = re.compile(
    r"gloo|nccl|TCPStore|connection (closed|reset|refused)|broken pipe|socket timeout", re.I
)
LESS_MEMORY = (
    "Take a smaller algorithm.batch_size, fewer workers for each node "
    "(resources.cpus_per_worker), or nodes with more memory"
)


class WorkerFailure(Exception):
    """An error of one worker, in a form that always travels back."""

    def __init__(
        self,
        rank: int,
        node: str,
        failed_at: float,
        text: str,
        error: TriviumError | None,
        kind: Kind = "raised",
    ) -> None:
        super().__init__(rank, node, failed_at, text, error, kind)
        self.rank, self.node, self.failed_at = rank, node, failed_at
        self.text, self.error, self.kind = text, error, kind

    @classmethod
    def of(cls, error: BaseException, rank: int) -> Self:
        """`error` as caught on this node; its traceback begins after the frame that caught it."""
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
        text = "".join(traceback.format_exception(error)).rstrip()
        own = error if isinstance(error, TriviumError) else None
        return cls(rank, socket.gethostname(), time.time(), text, own, _kind_of(error))


class Ends:
    """How the workers of one attempt ended, from what Ray Train reports of them."""

    def __init__(self, failures: dict[int, Any]) -> None:
        # Ray Train wraps what a worker raised.
        plain = {rank: getattr(f, "_base_exc", f) for rank, f in failures.items()}
        self.told = [f for f in plain.values() if isinstance(f, WorkerFailure)]
        self.died = {rank: f for rank, f in plain.items() if not isinstance(f, WorkerFailure)}

    @property
    def raised(self) -> list[WorkerFailure]:
        """Errors of the workers' own, the first one first."""
        return sorted((f for f in self.told if f.kind == "raised"), key=lambda f: f.failed_at)

    @property
    def left(self) -> list[WorkerFailure]:
        """Those that had notice and saved."""
        return [f for f in self.told if f.kind == "left"]


def explain(error: Exception) -> TriviumError:
    """What went wrong first, of all that workers and Ray report when one of them fails."""
    ends = Ends(getattr(error, "worker_failures", {}))
    if ends.died:
        rank = min(ends.died)
        return RunFailed(f"worker {rank} died; {_cause_of_death(ends.died[rank])}")
    if not ends.told and isinstance(error, deaths()) and not is_out_of_memory(error):
        return RunFailed(
            "the cluster does not answer any more: its head, or the node of this command, died; "
            "when there is one again, `trivium resume` goes on from the last checkpoint"
        )
    if not ends.told:
        return RunFailed(f"the workers could not run: {_cause_of_death(error)}")
    # Those that lost another one tell of it later, and only by what they could not send.
    first = ends.raised[0] if ends.raised else min(ends.told, key=lambda f: f.failed_at)
    if first.error is not None:
        return first.error
    return RunFailed(f"worker {first.rank} on {first.node} failed:\n{first.text}")


def _kind_of(error: BaseException) -> Kind:
    if isinstance(error, Leaving):
        return "left"
    if isinstance(error, RuntimeError | OSError) and _LOST.search(f"{type(error)} {error}"):
        return "lost"
    return "raised"


def _cause_of_death(failure: BaseException) -> str:
    return cause_of_death(failure, LESS_MEMORY)
