"""Rating: what a user thinks of an item, as a real value on a scale with two ends."""

from typing import Self

import torch
from pydantic import model_validator

from trivium.platform.settings import Many
from trivium.trainers.supervised.tasks.regression import Regression, RegressionSettings


class RatingSettings(RegressionSettings):
    """Settings of `rating`."""

    range: Many[float] | None = None
    """Lowest and highest rating, such as [1, 5]: predictions beyond are brought to the nearest end
    before they are scored; None leaves them as they are."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range is not None and (len(self.range) != 2 or self.range[0] >= self.range[1]):
            raise ValueError(
                f"range: give the lowest and the highest rating, such as [1, 5], "
                f"got {list(self.range)}"
            )
        return self


class Rating(Regression):
    """Regression whose predictions stay within the range of ratings.

    The loss sees them as they are: clamped ones would have no gradient beyond the range.
    """

    def __init__(self, settings: RatingSettings) -> None:
        super().__init__(settings)
        self.range = settings.range

    def predict(self, outputs: torch.Tensor) -> torch.Tensor:
        """The estimated rating of each row, within the range."""
        ratings = super().predict(outputs)
        return ratings if self.range is None else ratings.clamp(self.range[0], self.range[1])
