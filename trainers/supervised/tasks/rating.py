"""Rating: what a user thinks of an item, as a real value within known bounds."""

from typing import Self

import torch
from pydantic import model_validator

from trivium.platform.settings import Many
from trivium.trainers.supervised.tasks.regression import (
    Regression,
    RegressionSettings,
    squeeze_outputs,
)


class RatingSettings(RegressionSettings):
    """Settings of `rating`."""

    clamp: bool = True
    """Bring predictions into the range of ratings before they are scored; the loss is not
    clamped, as a clamped one has no gradient outside the range."""
    range: Many[float] | None = None
    """Lowest and highest rating, such as [1, 5]; left out, the range seen in training."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range is None:
            return self
        if len(self.range) != 2 or self.range[0] >= self.range[1]:
            raise ValueError(
                f"range: give the lowest and the highest rating, such as [1, 5], "
                f"got {list(self.range)}"
            )
        if not self.clamp:
            raise ValueError("range has no effect with clamp: false: leave one of them out")
        return self


class Rating(Regression):
    """Regression whose predictions stay within the range of ratings.

    `target_range` is the lowest and highest rating in training; None leaves predictions as they
    are unless the settings give a range.
    """

    def __init__(
        self, settings: RatingSettings, target_range: tuple[float, float] | None = None
    ) -> None:
        super().__init__(settings)
        bounds = settings.range or target_range
        self.bounds = bounds if settings.clamp else None

    def predict(self, outputs: torch.Tensor) -> torch.Tensor:
        """The estimated rating of each row, clamped to the range."""
        outputs = squeeze_outputs(outputs)
        return outputs if self.bounds is None else outputs.clamp(self.bounds[0], self.bounds[1])
