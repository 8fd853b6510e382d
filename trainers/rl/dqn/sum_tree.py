"""A binary tree of sums over priorities: draws in proportion, many at a time.

Nodes lie in one flat array: node 1 is the root, node i has children 2i and 2i + 1, and leaf k is
node `size + k`. Batches walk the levels together, so Python sees the depth, not the batch.
"""

import numpy as np
from numpy.typing import NDArray


class SumTree:
    """Priorities of `capacity` places, 0 at first."""

    def __init__(self, capacity: int) -> None:
        self._size = 1 << max(capacity - 1, 1).bit_length()
        self._depth = self._size.bit_length() - 1
        self._capacity = capacity
        self._sums = np.zeros(2 * self._size)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self._sums[1])

    @property
    def priorities(self) -> NDArray[np.float64]:
        """Priority of each place, [capacity] (a view)."""
        return self._sums[self._size : self._size + self._capacity]

    def __getitem__(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._sums[places + self._size]

    def update(self, places: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Set the priorities of `places` [B]; where one is named twice, the last one counts."""
        nodes = places + self._size
        self._sums[nodes] = priorities
        for _ in range(self._depth):
            # Sums are made anew from both children, so no rounding error piles up over updates.
            nodes = nodes >> 1
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def rebuild(self, priorities: NDArray[np.float64]) -> None:
        """Set the priorities of all places, [capacity]."""
        self._sums[self._size : self._size + self._capacity] = priorities
        for level in range(self._depth - 1, -1, -1):
            first = 1 << level
            below = self._sums[2 * first : 4 * first]
            self._sums[first : 2 * first] = below[0::2] + below[1::2]

    def find(self, masses: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first places whose running sums of priorities exceed `masses` [B] in [0, total)."""
        nodes = np.ones(len(masses), np.int64)
        left_over = masses.astype(np.float64)  # a copy: it is counted down
        for _ in range(self._depth):
            nodes *= 2
            left = self._sums[nodes]
            # Rounding may ask for more than the right side holds: never enter an empty subtree.
            goes_right = (left_over >= left) & (self._sums[nodes + 1] > 0)
            left_over -= np.where(goes_right, left, 0.0)
            nodes += goes_right
        return nodes - self._size
