"""Numbers to the range 0 to 1."""

import numpy as np

from trivium.datasets.transforms.affine import Affine, Statistics
from trivium.platform.settings import ComponentSettings


class NormalizeSettings(ComponentSettings):
    """Pixels from 0..255, columns from the least and greatest training value, to 0..1.

    Values outside the training range land outside 0..1.
    """


class Normalize:
    """A column that is constant in training becomes 0 there."""

    def __init__(self, settings: NormalizeSettings) -> None:
        pass

    def affine(self, statistics: Statistics) -> Affine:
        """(x - min) / (max - min); x / 255 for pixels."""
        if statistics.is_pixels:
            return Affine(np.full(len(statistics.mean), 1 / 255), np.zeros(len(statistics.mean)))
        width = statistics.max - statistics.min
        scale = 1 / np.where(width > 0, width, 1)
        return Affine(scale, -statistics.min * scale)
