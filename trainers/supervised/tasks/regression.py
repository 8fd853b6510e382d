"""Regression: the target is a real value, the output is its estimate."""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional

from trivium.platform.exhibit import Evaluation, Exhibit, Metric, Note
from trivium.platform.settings import ComponentSettings
from trivium.trainers.supervised.tasks.mistakes import NUM_MISTAKES, Mistake, show_mistakes
from trivium.trainers.supervised.tasks.task import (
    Example,
    Tally,
    TargetKind,
    Task,
    full_precision,
)

Loss = Literal["mse", "mae", "huber"]


class RegressionSettings(ComponentSettings):
    """Settings of `regression`."""

    loss: Loss = "mse"
    """Squared error; or absolute error, which rare large errors pull less; or huber, squared up to
    `delta` and absolute beyond."""
    delta: float = Field(1.0, gt=0)
    """Where huber turns from squared to absolute, in the target's unit."""


class Regression(Task):
    """An error between outputs [B] or [B, 1] and real targets [B], in the target's unit."""

    target_kind: ClassVar[TargetKind] = "real"
    watch = "validation/loss"
    metrics = (
        Metric(
            "loss",
            "mean of what is minimised: squared, absolute or huber error",
            larger_is_better=False,
            healthy="validation far above train means overfitting",
        ),
        Metric("mse", "mean squared error, in the target's unit squared", False),
        Metric(
            "rmse",
            "root of the mean squared error, in the target's unit; large errors weigh most",
            larger_is_better=False,
            healthy="below the target's standard deviation, the error of always saying the mean",
        ),
        Metric(
            "mae",
            "mean absolute error, in the target's unit",
            larger_is_better=False,
            healthy="a little below rmse; far below means that few rows have very large errors",
        ),
        Metric(
            "r2",
            "share of the target's variance that is explained",
            larger_is_better=True,
            healthy="0 is always saying the mean, 1 is perfect; below 0 is worse than the mean",
        ),
    )

    def __init__(self, settings: RegressionSettings) -> None:
        self.loss_name = settings.loss
        self.delta = settings.delta

    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean over the rows of the error that the settings name."""
        return self._errors(outputs, target, "mean")

    def new_tally(self, device: torch.device | str = "cpu") -> Tally:
        """Sums of loss, squared error and absolute error."""
        return Tally(3, device)

    def count(
        self, tally: Tally, outputs: torch.Tensor, target: torch.Tensor, loss: torch.Tensor
    ) -> None:
        """Add a batch."""
        error = self.predict(outputs.detach()) - target
        tally.add(loss, len(target), error.square().sum(), error.abs().sum())

    def running_metrics(self, tally: Tally) -> dict[str, float]:
        """Loss, root mean squared error, mean absolute error."""
        loss, square, absolute = tally.means()
        return {"loss": loss, "rmse": square**0.5, "mae": absolute}

    def predict(self, outputs: torch.Tensor) -> torch.Tensor:
        """The estimate for each row, in the target's unit."""
        return squeeze_outputs(outputs)

    def evaluate(
        self,
        outputs: torch.Tensor,
        target: torch.Tensor,
        rows: torch.Tensor,
        example: Callable[[int], Example],
    ) -> Evaluation:
        """Scores over all rows and the worst mistakes."""
        from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

        truth = target.double()
        predicted = self.predict(outputs).double()
        mse = float(mean_squared_error(truth.numpy(), predicted.numpy()))
        metrics = {
            "loss": float(self.loss(outputs.double(), truth)),
            "mse": mse,
            "rmse": mse**0.5,
            "mae": float(mean_absolute_error(truth.numpy(), predicted.numpy())),
        }
        exhibits: list[Exhibit] = []
        if bool((truth != truth[0]).any()):
            metrics["r2"] = float(r2_score(truth.numpy(), predicted.numpy()))
        else:
            exhibits.append(Note("R2", "left out, as all rows have the same target"))
        exhibits.append(_mistakes(predicted, truth, rows, example))
        return Evaluation(metrics, tuple(exhibits))

    def _errors(self, outputs: torch.Tensor, target: torch.Tensor, reduction: str) -> torch.Tensor:
        outputs = squeeze_outputs(outputs)
        target = target.to(outputs.dtype)
        if self.loss_name == "mse":
            return functional.mse_loss(outputs, target, reduction=reduction)
        if self.loss_name == "mae":
            return functional.l1_loss(outputs, target, reduction=reduction)
        return functional.huber_loss(outputs, target, reduction=reduction, delta=self.delta)


def squeeze_outputs(outputs: torch.Tensor) -> torch.Tensor:
    """Outputs [B] or [B, 1] as [B], in full precision.

    Without it a loss would broadcast [B, 1] against [B] to [B, B] and train on nonsense.
    """
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        return full_precision(outputs[:, 0])
    if outputs.ndim != 1:
        raise ValueError(
            f"a real target needs one output per row, [B] or [B, 1]; the model gives "
            f"{list(outputs.shape)}"
        )
    return full_precision(outputs)


def _mistakes(
    predicted: torch.Tensor,
    truth: torch.Tensor,
    rows: torch.Tensor,
    example: Callable[[int], Example],
) -> Exhibit:
    errors = (predicted - truth).abs()
    worst = [
        Mistake(int(rows[i]), float(truth[i]), float(predicted[i]), float(errors[i]))
        for i in torch.argsort(errors, descending=True, stable=True)[:NUM_MISTAKES].tolist()
    ]
    return show_mistakes("Largest errors", worst, example, badness="error")
