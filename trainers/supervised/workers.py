"""What a training loop asks of the other workers: one class, whether there are others or not."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn

from trivium.platform.run_writer import RunWriter
from trivium.trainers.supervised.shared_gradients import (
    SharedMean,
    average_in_shared_memory,
    begin_equal,
)

TALK_S = 0.25
"""Between two talks about saving and stopping. Steps that become slower meanwhile put the next
talk, and a save that is due, off by as many times as they are slower."""


class Decision(NamedTuple):
    """What rank 0 decided between two steps, the same on every worker."""

    stop: bool = False
    save: bool = False
    leave: bool = False
    """A worker has notice: save, and end with the others."""


class Workers:
    """This worker's place among `world_size` that learn together, perhaps on one machine."""

    def __init__(
        self,
        rank: int = 0,
        world_size: int = 1,
        device: str = "cpu",
        is_one_machine: bool = False,
        has_notice: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rank = rank
        self._has_notice = has_notice
        self._is_one_machine = is_one_machine
        self.world_size = world_size
        self.device = torch.device(device)
        self._shared: SharedMean | None = None
        self._next_talk = 0
        self._last_talk: tuple[int, float] | None = None
        """At which step, and when; None before the first step of this process."""

    @property
    def is_first(self) -> bool:
        """Rank 0 writes the run; the others only learn."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model` as each step calls it: its gradients are averaged over the workers.

        By its backward pass, or by `average_gradients`.
        """
        model = model.to(self.device)
        if self.world_size == 1:
            return model
        self._shared = average_in_shared_memory(
            model, self.rank, self.world_size, self._is_one_machine, self.gather
        )
        if self._shared is not None:
            begin_equal(model)
            return model
        import warnings

        from torch.nn.parallel import DistributedDataParallel

        # Gradients of channels-last layers are copied into the buckets; the copy is small.
        warnings.filterwarnings("ignore", message="Grad strides do not match")
        devices = [self.device.index] if self.device.type == "cuda" else None
        # Buffers are made equal once an epoch instead of at each step: see `equal_buffers`.
        return DistributedDataParallel(
            model, device_ids=devices, forward_sync_buffers=False, gradient_as_bucket_view=True
        )

    def without_sync(self, model: nn.Module, is_last: bool) -> AbstractContextManager[None]:
        """A backward pass averages gradients over the workers only with a step's last batch."""
        if self.world_size == 1 or is_last or self._shared is not None:
            return nullcontext()
        within: AbstractContextManager[None] = model.no_sync()  # type: ignore[operator]
        return within

    def average_gradients(self) -> None:
        """After the last backward pass of a step: what that has not done already."""
        if self._shared is not None:
            self._shared.average()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over the workers."""
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values

    def equal_buffers(self, model: nn.Module) -> None:
        """Give every worker the mean of running statistics (batch normalisation)."""
        if self.world_size == 1:
            return
        for buffer in model.buffers():
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer.div_(self.world_size)

    def gather(self, value: Any) -> list[Any]:
        """`value` of every worker, by rank."""
        if self.world_size == 1:
            return [value]
        gathered: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    def decide(self, step: int, writer: RunWriter | None) -> Decision:
        """Ask rank 0 whether to stop or save, and all whether one has notice to go.

        With other workers every TALK_S seconds, and when a checkpoint is due. They must agree at
        the same step, so rank 0 also tells at which step to talk again.
        """
        if self.world_size == 1:
            assert writer is not None
            return Decision(writer.stop, writer.checkpoint_due(), self._has_notice())
        if step < self._next_talk:
            return Decision()
        step_s = self._seconds_of_a_step(step)
        words = torch.tensor([0, 0, 0, self._has_notice()])
        if writer is not None:
            is_due = writer.checkpoint_due()
            due_s = writer.checkpoint_interval_s if is_due else writer.checkpoint_due_in_s
            steps_ahead = max(1, min(1000, int(min(TALK_S, due_s) / step_s)))
            words[:3] = torch.tensor([writer.stop, is_due, steps_ahead])
        words = words.to(self.device)
        torch.distributed.all_reduce(words, torch.distributed.ReduceOp.MAX)
        stop, save, ahead, leave = words.tolist()
        self._next_talk = step + ahead
        return Decision(bool(stop), bool(save), bool(leave))

    def _seconds_of_a_step(self, step: int) -> float:
        """Mean since the last talk; endless at the first one, which a resumed run has at any step.

        Counted from step 0 instead, a resumed run would take its steps for a thousand times faster
        than they are, and not talk again for a thousand of them.
        """
        now, before = time.monotonic(), self._last_talk
        self._last_talk = (step, now)
        if before is None:
            return math.inf
        return max((now - before[1]) / max(1, step - before[0]), 1e-6)
