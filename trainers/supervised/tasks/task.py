"""The seam between a model and the training loop: what a target is, what a good output is.

The loop never asks which task it runs. In training it calls `loss`, and `count` on the tally of
the epoch; after an epoch `running_metrics`; after the run `evaluate` on all outputs of a split.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.platform.exhibit import Evaluation, Metric

TargetKind = Literal["class", "real"]

Example: TypeAlias = NDArray[np.uint8] | str | Mapping[str, object]
"""What the model saw, for a person: a picture [H, W] or [H, W, 3], a text, or named values."""


class Tally:
    """Sums over the batches of an epoch, kept on the device so that no step waits for it."""

    def __init__(self, num_sums: int, device: torch.device | str = "cpu") -> None:
        self.sums = [torch.zeros((), dtype=torch.float64, device=device) for _ in range(num_sums)]
        self.num_rows = 0

    def add(self, loss: torch.Tensor, num_rows: int, *sums: torch.Tensor) -> None:
        """Add a batch: its mean loss, and for each further sum the batch's share."""
        self.add_loss(loss, num_rows)
        for total, value in zip(self.sums[1:], sums, strict=True):
            total.add_(value)

    def add_loss(self, loss: torch.Tensor, num_rows: int) -> None:
        """Add a batch's mean loss; its share of the further sums is added by itself."""
        self.num_rows += num_rows
        self.sums[0].add_(loss.detach(), alpha=num_rows)

    def packed(self) -> torch.Tensor:
        """All sums and the row count in one float64 vector: to add up over workers, or to save."""
        count = torch.tensor(self.num_rows, dtype=torch.float64, device=self.sums[0].device)
        return torch.stack([*self.sums, count])

    def load(self, packed: torch.Tensor) -> None:
        """Take the place of the tally, or sum of tallies, that `packed` holds."""
        for total, value in zip(self.sums, packed[:-1], strict=True):
            total.copy_(value)
        self.num_rows = int(packed[-1])

    def means(self) -> list[float]:
        """Each sum over the number of rows; waits for the device."""
        rows = max(1, self.num_rows)
        return [float(value) / rows for value in torch.stack(self.sums).tolist()]


class Task(ABC):
    """What is learned: subclasses say how outputs are scored against the target."""

    target_kind: ClassVar[TargetKind]
    """Which target the data must have."""
    watch: ClassVar[str]
    """The metric by which the best epoch is chosen unless the job says otherwise."""
    metrics: ClassVar[tuple[Metric, ...]]
    """What each reported number means; the names are without the split (`validation/`)."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, a scalar: the mean over its rows."""

    @abstractmethod
    def new_tally(self, device: torch.device | str = "cpu") -> Tally:
        """An empty tally for the metrics of an epoch."""

    @abstractmethod
    def count(
        self, tally: Tally, outputs: torch.Tensor, target: torch.Tensor, loss: torch.Tensor
    ) -> None:
        """Add a batch and its `loss` to `tally`, without waiting for the device."""

    @abstractmethod
    def running_metrics(self, tally: Tally) -> dict[str, float]:
        """The metrics of an epoch, by their names without the split."""

    @abstractmethod
    def predict(self, outputs: torch.Tensor) -> torch.Tensor:
        """The prediction for each row: a class, or a real value in the target's unit, [N]."""

    @abstractmethod
    def evaluate(
        self,
        outputs: torch.Tensor,
        target: torch.Tensor,
        rows: torch.Tensor,
        example: Callable[[int], Example],
    ) -> Evaluation:
        """The full score of a split, from the outputs for all its rows, on the CPU.

        `rows` [N] are the numbers by which the worst mistakes are named, and `example(row)`
        gives what the model saw there.
        """


def full_precision(outputs: torch.Tensor) -> torch.Tensor:
    """Outputs of a mixed precision forward pass as float32; others as they are.

    A loss in bf16 has three digits, which neither a mean over an epoch nor a comparison stands.
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


def default_task(target_kind: str, input_kinds: Sequence[str]) -> str:
    """The task of a job that names none: told from its target and the kinds of its inputs.

    >>> default_task("real", ["id", "id"])
    'rating'
    """
    if target_kind == "class":
        return "classification"
    return "rating" if list(input_kinds) == ["id", "id"] else "regression"


def metric_named(task: Task | type[Task], name: str) -> Metric | None:
    """The description of `validation/accuracy` or `accuracy`; None when the task has no such."""
    own = name.rpartition("/")[2]
    return next((metric for metric in task.metrics if metric.name == own), None)
