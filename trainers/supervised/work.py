"""How much work a training step is, and how many threads it is worth.

More threads than the work is worth make a step slower: they wait for each other at the end of
each operation, by spinning, and on a busy machine for a thread that does not run at all.
"""

import os
from dataclasses import dataclass

import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.trainers.supervised.job import SupervisedJob

MULTIPLICATIONS_PER_THREAD = 8e6
"""In the forward pass of a batch, for each thread. Measured on two cores: a second thread gains
nothing at 2 million, 10% at 3, 20% at 7, 30% from 15 million on."""


@dataclass(frozen=True)
class Work:
    """What one row costs in a forward pass."""

    activation_bytes: int
    """Outputs of all modules, and as much again for their gradients."""
    multiplications: float
    """Of weights with inputs; element by element operations are left out."""


def work_per_row(model: nn.Module, dataset: Dataset) -> Work:
    """Measured by running two training rows through `model`, in evaluation mode."""
    num_bytes, multiplications = 0, 0.0

    def count(module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal num_bytes, multiplications
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, torch.Tensor):
            return
        num_bytes += first.numel() * first.element_size()
        weights = sum(p.numel() for p in module.parameters() if p.ndim > 1)
        if not isinstance(module, nn.Embedding):
            multiplications += weights * _uses(module, first)

    leaves = [m for m in model.modules() if not list(m.children())]
    hooks = [m.register_forward_hook(count) for m in leaves]
    batch = next(iter(dataset.batches("train", 2).epoch(0)))
    was_training = model.training
    try:
        with torch.inference_mode():
            model.eval()(*batch.inputs)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    rows = max(1, len(batch.target))
    return Work(2 * num_bytes // rows, multiplications / rows)


def set_threads(job: SupervisedJob, dataset: Dataset, model: nn.Module) -> None:
    """Let torch compute with as many threads as the job says, or as a step is worth.

    The number follows from the job and the machine alone, never from a measurement: sums in
    another order would give other numbers.
    """
    asked = job.resources.threads_per_worker
    if asked is None:
        rows = dataset.num_rows("train") if job.algorithm.batch_size == "full" else 0
        batch = rows or min(int(job.algorithm.batch_size), dataset.num_rows("train"))
        batch = max(1, batch // job.resources.most_workers)
        worth = batch * work_per_row(model, dataset).multiplications / MULTIPLICATIONS_PER_THREAD
        asked = max(1, min(available_threads(job), round(worth)))
    if asked != torch.get_num_threads():
        torch.set_num_threads(asked)


def available_threads(job: SupervisedJob) -> int:
    """Cores of this machine for each worker on it, or fewer, as OMP_NUM_THREADS says.

    Ray's workers have their share there (ray_train.py), which knows how many are on the machine.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return min(num_cores(), int(told))
    return max(1, num_cores() // job.resources.most_workers)


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _uses(module: nn.Module, output: torch.Tensor) -> float:
    """How often each weight is multiplied: once a row, and for each position.

    A recurrent layer takes one time step after the other, so only one step's work can be shared.
    """
    if isinstance(module, nn.RNNBase):
        return float(output.shape[0 if module.batch_first else -2])
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return output.numel() / module.out_channels
    last = output.shape[-1] if output.ndim else 1
    return output.numel() / max(1, last)
