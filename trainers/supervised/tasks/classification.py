"""Classification: the target is one of several classes, the outputs are logits."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch.nn import functional

from trivium.platform.exhibit import Evaluation, Exhibit, Metric, Note
from trivium.platform.settings import ComponentSettings, Many
from trivium.trainers.supervised.tasks.class_scores import (
    class_scores,
    class_table,
    confusions,
    roc_areas,
)
from trivium.trainers.supervised.tasks.mistakes import NUM_MISTAKES, Mistake, show_mistakes
from trivium.trainers.supervised.tasks.task import (
    Example,
    Tally,
    TargetKind,
    Task,
    full_precision,
)


class ClassificationSettings(ComponentSettings):
    """Settings of `classification`."""

    class_weights: Literal["none", "balanced"] | Many[float] = "none"
    """Weight of each class in the loss: all alike, or n / (classes * rows of the class) so that
    every class counts the same, or a list with one weight per class."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target that is spread over all classes; it keeps the model from certainty."""

    @model_validator(mode="after")
    def _weights(self) -> Self:
        if not isinstance(self.class_weights, str) and any(w < 0 for w in self.class_weights):
            raise ValueError(f"class_weights must not be negative: {list(self.class_weights)}")
        return self


class _Tally(Tally):
    """Correct rows are counted for several batches at once.

    Three small operations take longer than their work, and a count is exact in any order.
    """

    _MOST_CELLS = 2**16  # of outputs that wait to be counted

    def __init__(self, device: torch.device | str) -> None:
        super().__init__(2, device)
        self._uncounted: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._num_cells = 0

    def count(self, outputs: torch.Tensor, target: torch.Tensor, loss: torch.Tensor) -> None:
        """Add a batch."""
        self.add_loss(loss, len(target))
        self._uncounted.append((outputs.detach(), target))
        self._num_cells += outputs.numel()
        if self._num_cells >= self._MOST_CELLS:
            self._count_all()

    def packed(self) -> torch.Tensor:
        """Sum of losses, correct rows, rows."""
        self._count_all()
        return super().packed()

    def means(self) -> list[float]:
        """Loss and accuracy."""
        self._count_all()
        return super().means()

    def _count_all(self) -> None:
        if self._uncounted:
            outputs, target = map(torch.cat, zip(*self._uncounted, strict=True))
            self.sums[1].add_(torch.count_nonzero(outputs.argmax(1).eq(target)))
            self._uncounted, self._num_cells = [], 0


class Classification(Task):
    """Cross-entropy of logits [B, num_classes] against class numbers [B].

    The loss is the sum of weighted row losses over the number of rows (not over the sum of the
    weights), so that it means the same for a batch, a part of it on a worker, and an epoch.

    Raises:
        ValueError: there are not as many class weights as classes, or a class to be balanced has
            no row.
    """

    target_kind: ClassVar[TargetKind] = "class"
    # Not accuracy: on a small validation split it moves in whole rows, and many epochs tie.
    watch = "validation/loss"
    metrics = (
        Metric(
            "loss",
            "mean cross-entropy: minus the log of the probability given to the true class",
            larger_is_better=False,
            healthy="below ln(number of classes), the loss of a guess; validation far above "
            "train means overfitting",
        ),
        Metric(
            "accuracy",
            "share of rows whose most probable class is the true one",
            larger_is_better=True,
            healthy="above the share of the largest class; 1 on unseen rows suggests a leak",
        ),
        Metric(
            "precision_macro",
            "of the rows predicted as a class, the share that is; mean over classes",
            larger_is_better=True,
        ),
        Metric(
            "recall_macro",
            "of the rows of a class, the share that is found; mean over classes",
            larger_is_better=True,
            healthy="above 1 / number of classes; far below accuracy means rare classes are missed",
        ),
        Metric(
            "f1_macro",
            "harmonic mean of precision and recall; mean over classes, rare ones count the same",
            larger_is_better=True,
            healthy="near accuracy; far below means rare classes are missed: try balanced "
            "class_weights",
        ),
        Metric("precision_weighted", "precision, classes weighted by their rows", True),
        Metric("recall_weighted", "recall, classes weighted by their rows: the accuracy", True),
        Metric("f1_weighted", "F1, classes weighted by their rows", True),
        Metric(
            "roc_auc",
            "chance that a row of a class is scored higher for it than a row of another class; "
            "with more than two classes, each against the rest, mean over classes",
            larger_is_better=True,
            healthy="0.5 is a guess, 1 perfect ranking; below 0.5 the labels may be swapped",
        ),
    )

    def __init__(
        self,
        settings: ClassificationSettings,
        class_names: Sequence[str],
        class_counts: Sequence[int] | NDArray[np.int64],
    ) -> None:
        self.class_names = tuple(class_names)
        self.label_smoothing = settings.label_smoothing
        self.weights = _weights(settings, self.class_names, class_counts)

    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean over the rows, see the class."""
        outputs = full_precision(outputs)
        if self.weights is None:
            return functional.cross_entropy(outputs, target, label_smoothing=self.label_smoothing)
        return self._row_losses(outputs, target).sum() / max(1, len(target))

    def new_tally(self, device: torch.device | str = "cpu") -> Tally:
        """Sums of loss and correct rows."""
        return _Tally(device)

    def count(
        self, tally: Tally, outputs: torch.Tensor, target: torch.Tensor, loss: torch.Tensor
    ) -> None:
        """Add a batch."""
        assert isinstance(tally, _Tally)
        tally.count(outputs, target, loss)

    def running_metrics(self, tally: Tally) -> dict[str, float]:
        """Loss and accuracy."""
        loss, accuracy = tally.means()
        return {"loss": loss, "accuracy": accuracy}

    def predict(self, outputs: torch.Tensor) -> torch.Tensor:
        """The most probable class of each row."""
        return outputs.argmax(1)

    def evaluate(
        self,
        outputs: torch.Tensor,
        target: torch.Tensor,
        rows: torch.Tensor,
        example: Callable[[int], Example],
    ) -> Evaluation:
        """Scores over all rows, per class, the confusions, the worst mistakes."""
        outputs = full_precision(outputs)
        truth, predicted = target.numpy(), self.predict(outputs).numpy()
        areas = roc_areas(outputs.softmax(1).double().numpy(), truth)
        metrics = {
            "loss": float(self.loss(outputs, target)),
            **class_scores(truth, predicted, areas),
        }
        exhibits: list[Exhibit] = [
            class_table(self.class_names, truth, predicted, areas),
            confusions(self.class_names, truth, predicted),
        ]
        undefined = [n for n, a in zip(self.class_names, areas, strict=True) if a is None]
        if undefined:
            text = f"left out, as no row (or every row) is of it: {_list(undefined)}"
            exhibits.append(Note("ROC AUC", text))
        exhibits.append(self._mistakes(outputs, target, rows, example))
        return Evaluation(metrics, tuple(exhibits))

    def _row_losses(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.weights is not None and self.weights.device != outputs.device:
            self.weights = self.weights.to(outputs.device)
        return functional.cross_entropy(
            outputs,
            target,
            weight=self.weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )

    def _mistakes(
        self,
        outputs: torch.Tensor,
        target: torch.Tensor,
        rows: torch.Tensor,
        example: Callable[[int], Example],
    ) -> Exhibit:
        """The wrong rows in which the model gave the truth the smallest probability."""
        predicted = self.predict(outputs)
        losses = functional.cross_entropy(outputs, target, reduction="none")
        wrong = torch.nonzero(predicted != target)[:, 0]
        order = torch.argsort(losses[wrong], descending=True, stable=True)[:NUM_MISTAKES]
        worst = [
            Mistake(
                row=int(rows[i]),
                truth=self.class_names[int(target[i])],
                prediction=self.class_names[int(predicted[i])],
                badness=float(losses[i]),
            )
            for i in wrong[order].tolist()
        ]
        if not worst:
            return Note("Worst mistakes", f"All {len(target)} rows are right.")
        return show_mistakes(f"Worst of {len(wrong)} mistakes", worst, example)


def _weights(
    settings: ClassificationSettings,
    class_names: Sequence[str],
    class_counts: Sequence[int] | NDArray[np.int64],
) -> torch.Tensor | None:
    chosen = settings.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        counts = np.asarray(class_counts, dtype=np.float64)
        empty = [name for name, n in zip(class_names, counts, strict=True) if n == 0]
        if empty:
            raise ValueError(
                f"class_weights: balanced needs a training row of each class; none of "
                f"{_list(empty)}: give a list of weights, or drop the class"
            )
        return torch.tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32)
    if len(chosen) != len(class_names):
        raise ValueError(
            f"class_weights has {len(chosen)} values and the data {len(class_names)} classes "
            f"({_list(class_names)}): give one for each, in this order"
        )
    return torch.tensor(chosen, dtype=torch.float32)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown}, and {len(names) - 10} more" if len(names) > 10 else shown
