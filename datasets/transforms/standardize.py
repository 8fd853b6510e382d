"""Mean 0 and deviation 1 over the training rows."""

import numpy as np

from trivium.datasets.transforms.affine import Affine, Statistics
from trivium.platform.settings import ComponentSettings


class StandardizeSettings(ComponentSettings):
    """Mean 0 and standard deviation 1 over the training rows, per column or image channel."""


class Standardize:
    """A column that is constant in training becomes 0 there and is not divided."""

    def __init__(self, settings: StandardizeSettings) -> None:
        pass

    def affine(self, statistics: Statistics) -> Affine:
        """(x - mean) / std."""
        scale = 1 / np.where(statistics.std > 0, statistics.std, 1)
        return Affine(scale, -statistics.mean * scale)
