"""Fills the gaps of number and category columns."""

from typing import Literal

import numpy as np

from trivium.datasets.transforms.affine import Floats, Statistics
from trivium.platform.settings import ComponentSettings


class ImputeSettings(ComponentSettings):
    """Fill nulls and NaN of numbers; a category that is null becomes none of them, all zeros."""

    value: Literal["mean"] | float = "mean"
    """The mean of the column's training rows, or this number."""


class Impute:
    """Unlike the other transforms it is done once, when the data set is written."""

    def __init__(self, settings: ImputeSettings) -> None:
        self._value = settings.value

    def fill(self, statistics: Statistics) -> Floats:
        """The number for the gaps of each column, [num_columns]."""
        if self._value == "mean":
            return statistics.mean
        return np.full(len(statistics.mean), float(self._value))
