"""The table of action values, and how targets of many copies enter it at once."""

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Entries = NDArray[np.int64]


class QTable:
    """Values and visit counts of N tables over S states and A actions, [N, S, A].

    Several copies may visit the same entry in one step. Their updates count as one after the
    other, each with the mean of their targets, so that their order does not matter: m updates
    of rate a move an entry by 1 - (1 - a)^m of its distance to that mean. One visit is the
    textbook's update; with a rate of 1/visits the entry is the mean of all its targets.
    """

    def __init__(
        self, num_tables: int, num_states: int, num_actions: int, initial_value: float = 0.0
    ) -> None:
        shape = (num_tables, num_states, num_actions)
        self.values = np.full(shape, float(initial_value))
        self.visits = np.zeros(shape)
        self._sums = np.zeros(self.values.size)  # scratch, all 0 between updates
        self._counts = np.zeros(self.values.size)

    @property
    def mean(self) -> Values:
        """Action values by which the policy acts: the mean over the tables, [S, A]."""
        mean: Values = self.values[0] if len(self.values) == 1 else self.values.mean(axis=0)
        return mean

    def update(
        self, entries: Entries, targets: Values, rate: float, average_first: bool = False
    ) -> Values:
        """Move `entries` [B] (flat indices) towards `targets` [B]; return the B errors before.

        With `average_first` the rate of an entry's n-th visit is max(1/n, rate).
        """
        values, visits = self.values.reshape(-1), self.visits.reshape(-1)
        before = values[entries]
        errors: Values = targets - before
        np.add.at(self._sums, entries, errors)
        np.add.at(self._counts, entries, 1.0)
        counts = self._counts[entries]
        mean_error = self._sums[entries] / counts
        seen = visits[entries]
        kept = _kept(seen, counts, rate) if average_first else _power(1.0 - rate, counts)
        # Copies on one entry write the same number, so the last write is every write.
        values[entries] = before + (1.0 - kept) * mean_error
        visits[entries] = seen + counts
        self._sums[entries] = 0.0
        self._counts[entries] = 0.0
        return errors


def _kept(seen: Values, counts: Values, rate: float) -> Values:
    """Share of the old value after visits seen + 1 ... seen + counts of rate max(1/n, rate), [B].

    The product of (1 - 1/n) telescopes to a quotient; from visit 1 / rate on, factors are 1 - rate.
    """
    last = seen + counts
    if rate == 0:
        averaged: Values = seen / last
        return averaged
    turn = np.floor(1.0 / rate)
    averaged = np.minimum(seen, turn) / np.minimum(last, turn)
    later = np.maximum(last, turn) - np.maximum(seen, turn)
    kept: Values = averaged * _power(1.0 - rate, later)
    return kept


def _power(base: float, exponents: Values) -> Values:
    """`base ** exponents` for a base of 0 to 1: NumPy's own takes eight times as long."""
    if base == 0:
        found: Values = (exponents == 0).astype(np.float64)
        return found
    found = np.exp(exponents * math.log(base))
    return found
