"""Statistics of rows that come batch after batch."""

import numpy as np

from trivium.datasets.transforms.affine import Floats, Statistics


class Moments:
    """Count, mean, deviation, least and greatest of columns, NaN left out, batch after batch.

    The parts are merged as in Chan, Golub and LeVeque (1979): a sum of squares would lose the
    digits of a column whose mean is far from 0.
    """

    def __init__(self, num_columns: int) -> None:
        self.count = np.zeros(num_columns)
        self.mean = np.zeros(num_columns)
        self.squares = np.zeros(num_columns)  # sum of squared distances from the mean
        self.min = np.full(num_columns, np.inf)
        self.max = np.full(num_columns, -np.inf)

    def add(self, cells: Floats) -> None:
        """Merge the rows of `cells` [n, num_columns]."""
        if not len(cells):
            return
        gaps = np.isnan(cells)
        count = len(cells) - gaps.sum(axis=0, dtype=np.float64)
        known = np.where(gaps, 0, cells) if gaps.any() else cells
        mean = known.sum(axis=0) / np.maximum(count, 1)
        distance = np.where(gaps, 0, cells - mean) if gaps.any() else cells - mean
        self._merge(count, mean, (distance**2).sum(axis=0))
        self.min = np.fmin(self.min, np.fmin.reduce(cells, axis=0))
        self.max = np.fmax(self.max, np.fmax.reduce(cells, axis=0))

    def statistics(self) -> Statistics:
        """Of all rows so far; a column without a number counts as 0."""
        empty, constant = self.count == 0, self.min == self.max
        std = np.sqrt(self.squares / np.maximum(self.count, 1))
        return Statistics(
            count=self.count,
            mean=np.where(constant, self.min, self.mean),
            std=np.where(constant, 0, std),  # rounding leaves 1e-17, and dividing by it, noise
            min=np.where(empty, 0, self.min),
            max=np.where(empty, 0, self.max),
        )

    def fill(self, fill: Floats, num_rows: int) -> None:
        """Let the gaps of `num_rows` rows hold `fill`."""
        gaps = num_rows - self.count
        self._merge(gaps, fill, np.zeros(len(fill)))
        self.min = np.where(gaps > 0, np.minimum(self.min, fill), self.min)
        self.max = np.where(gaps > 0, np.maximum(self.max, fill), self.max)

    def _merge(self, count: Floats, mean: Floats, squares: Floats) -> None:
        total = np.maximum(self.count + count, 1)
        distance = mean - self.mean
        self.squares += squares + distance**2 * self.count * count / total
        self.mean = self.mean + distance * count / total
        self.count = self.count + count
