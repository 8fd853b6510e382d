"""Averaging gradients through shared memory, for workers that compute on CPUs of one machine.

gloo sends each gradient through the loopback network: 3.9 ms for 1.7 MB on two cores, an eighth of
a small CNN's step. Here each worker copies its bucket into memory that all of them map, a counter
says that it lies there (see arrivals.py; a number that goes round by gloo where cores are fewer
than threads), and each adds up all shares: 0.8 ms. The sum goes in the order of ranks, so it is
the same to the bit on every worker.

It takes DistributedDataParallel's place: with one bucket and no network whose slowness a backward
pass could hide, nothing is left of it but its start, which imports torch's compiler (a second of
CPU in each worker). Workers of several machines, or on GPUs, keep it and its all-reduce.
"""

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trivium.trainers.supervised.arrivals import LINE_BYTES, Arrivals, can_spin

MOST_WORKERS = 8
"""Each worker reads the shares of all, so the traffic grows with their square."""
MOST_BYTES = 2**30
"""Of shared memory; a larger model keeps gloo, whose cost is small beside its step."""
MEMORY = Path("/dev/shm")

Gather = Callable[[Any], list[Any]]


def average_in_shared_memory(
    model: nn.Module, rank: int, world_size: int, is_one_machine: bool, gather: Gather
) -> "SharedMean | None":
    """How the workers average gradients of `model` in shared memory; None when they cannot.

    Args:
        model: on the CPU, not yet wrapped; every worker calls this at the same time.
        rank: this worker's.
        world_size: how many workers there are.
        is_one_machine: all `world_size` workers run on this machine.
        gather: the values of all workers, by rank.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    numel = sum(p.numel() for p in parameters)
    num_bytes = world_size * LINE_BYTES + 2 * world_size * numel * 4
    fits = (
        is_one_machine
        and world_size <= MOST_WORKERS
        and 0 < num_bytes <= MOST_BYTES
        and all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters)
    )
    if not all(gather(fits)):
        return None
    path = gather(_reserve(num_bytes) if rank == 0 else "")[0]
    memory = _map(path) if path else None
    has_succeeded = all(gather(memory is not None))
    if rank == 0 and path:
        os.unlink(path)  # the mappings keep it; it goes with the last worker, however that ends
    spins = all(gather(can_spin(world_size, torch.get_num_threads())))
    if memory is None or not has_succeeded:
        return None
    slots = torch.frombuffer(memory, dtype=torch.float32, offset=world_size * LINE_BYTES)
    meet = Arrivals(memoryview(memory), rank, world_size).meet if spins else _meet_by_message
    return SharedMean(parameters, slots.view(2, world_size, numel), rank, meet)


class SharedMean:
    """The memory that all workers map, and how a step's gradients go through it."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        slots: torch.Tensor,
        rank: int,
        meet: Callable[[], None],
    ) -> None:
        self._parameters = parameters
        self._meet = meet
        self._slots = slots
        """[2, world_size, numel]: two steps, since a worker may still read the one before."""
        self._mean = torch.empty(slots.shape[-1])
        self._means = _views(self._mean, parameters)
        self._shares = [_views(half[rank], parameters) for half in slots]
        self._half = 0

    def average(self) -> None:
        """Replace each gradient by the mean of all workers'; one that is missing counts as zero."""
        for share, parameter in zip(self._shares[self._half], self._parameters, strict=True):
            if parameter.grad is None:
                share.zero_()
            else:
                share.copy_(parameter.grad)
        self._meet()  # all shares lie there
        shares = self._slots[self._half]
        # Whoever begins the step after the next has heard from all that this one is read.
        self._half = 1 - self._half
        # One by one: torch's sum over a first dimension takes three times as long.
        torch.add(shares[0], shares[1], out=self._mean)
        for share in shares[2:]:
            self._mean.add_(share)
        self._mean.mul_(1.0 / len(shares))
        for parameter, mean in zip(self._parameters, self._means, strict=True):
            parameter.grad = mean


def begin_equal(model: nn.Module) -> None:
    """Give every worker the weights and buffers of rank 0, as DistributedDataParallel does."""
    for tensor in (*model.parameters(), *model.buffers()):
        torch.distributed.broadcast(tensor.detach(), src=0)


def _views(flat: torch.Tensor, parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    """Parts of `flat` in the shapes of `parameters`, and in their memory layout (channels last).

    So a copy between them, and the optimizer's step, go straight through memory.
    """
    views: list[torch.Tensor] = []
    offset = 0
    for parameter in parameters:
        strides = torch.empty_like(parameter).stride()
        views.append(flat.as_strided(parameter.shape, strides, flat.storage_offset() + offset))
        offset += parameter.numel()
    return views


def _reserve(num_bytes: int) -> str:
    """A file of so many bytes of memory; nothing when there is too little of it."""
    try:
        handle, path = tempfile.mkstemp(prefix="trivium-gradients-", dir=MEMORY)
    except OSError:
        return ""
    try:
        os.posix_fallocate(handle, 0, num_bytes)  # else a write could end the process (SIGBUS)
        return path
    except OSError:
        os.unlink(path)
        return ""
    finally:
        os.close(handle)


def _map(path: str) -> mmap.mmap | None:
    try:
        with open(path, "r+b") as file:
            return mmap.mmap(file.fileno(), 0)
    except OSError:
        return None


def _meet_by_message() -> None:
    torch.distributed.all_reduce(torch.zeros(1))
