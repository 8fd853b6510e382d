"""Replay in flat arrays: transitions of many copies, drawn evenly or by priority.

A row is one transition; rows of one copy are linked, so that n-step returns are summed when a batch
is drawn and need no bookkeeping when it is stored. Where the chain of a row ends early, because
the episode ended or the next step is not there yet, its return has fewer than n rewards. Shapes:
B copies, N rows drawn.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.dqn.sum_tree import SumTree
from trivium.trainers.rl.environment.spaces import Observations
from trivium.trainers.rl.environment.vector import Step

Rows = NDArray[np.int64]


class Drawn(NamedTuple):
    """A batch of N transitions over up to n steps."""

    rows: Rows
    """[N] where they stand in the replay."""
    obs: NDArray[Any]
    """[N, *shape]"""
    actions: Rows
    """[N]"""
    returns: NDArray[np.float32]
    """[N] discounted sum of the rewards."""
    next_obs: NDArray[Any]
    """[N, *shape] what followed the last of them; the final observation where an episode ended."""
    discounts: NDArray[np.float32]
    """[N] what the value of next_obs counts: gamma to the number of rewards; 0 if terminated."""
    weights: NDArray[np.float32] | None
    """[N] importance weights, at most 1; None when all are 1."""


class Replay:
    """The last `capacity` transitions."""

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        observations: Observations,
        gamma: float,
        n_step: int = 1,
        alpha: float | None = None,
    ) -> None:
        self.capacity, self.size, self._head = capacity, 0, 0
        self._gamma, self._n_step, self._alpha = gamma, n_step, alpha
        shape = (capacity, *observations.shape)
        self._arrays: dict[str, NDArray[Any]] = {
            "obs": np.zeros(shape, observations.dtype),
            "next_obs": np.zeros(shape, observations.dtype),
            "actions": np.zeros(capacity, np.int64),
            "rewards": np.zeros(capacity, np.float32),
            "terminated": np.zeros(capacity, np.bool_),
            "ended": np.zeros(capacity, np.bool_),
            "following": np.full(capacity, -1, np.int64),
        }
        self._last = np.full(num_envs, -1, np.int64)  # row of each copy's last transition
        self._tree = SumTree(capacity) if alpha is not None else None
        self._largest = 1.0

    def add(
        self, obs: NDArray[Any], actions: Rows, rewards: NDArray[np.float32], step: Step
    ) -> int:
        """Store what B copies did in one step; returns how many transitions that were."""
        copies = np.flatnonzero(step.valid)
        count = len(copies)
        rows = (self._head + np.arange(count)) % self.capacity
        arrays, all_valid = self._arrays, count == len(step.valid)
        ended = step.terminated | step.truncated
        for name, values in (
            ("obs", obs),
            ("next_obs", step.next_obs),
            ("actions", actions),
            ("rewards", rewards),
            ("terminated", step.terminated),
            ("ended", ended),
        ):
            arrays[name][rows] = values if all_valid else values[copies]
        self._forget(rows)
        before = self._last[copies]
        linked = before >= 0
        arrays["following"][before[linked]] = rows[linked]
        arrays["following"][rows] = -1
        self._last[copies] = np.where(ended[copies], -1, rows)
        if self._tree is not None:
            self._tree.update(rows, np.full(count, self._largest))
        self._head = int((self._head + count) % self.capacity)
        self.size = min(self.size + count, self.capacity)
        return count

    def _forget(self, rows: Rows) -> None:
        """A copy whose last transition is overwritten has none."""
        if self.size + len(rows) > self.capacity:
            self._last[np.isin(self._last, rows)] = -1

    def draw(self, count: int, rng: np.random.Generator, beta: float = 0.0) -> Drawn:
        """`count` transitions, evenly or by priority with weights of power `beta`."""
        if self._tree is None:
            rows = rng.integers(self.size, size=count)
            return self._at(rows, None)
        # One draw in each of `count` equal parts of the priorities: fewer repetitions.
        parts = (np.arange(count) + rng.random(count)) / count
        rows = self._tree.find(parts * self._tree.total)
        shares = self._tree[rows] / self._tree.total
        weights = (self.size * shares) ** -beta
        return self._at(rows, (weights / weights.max()).astype(np.float32))

    def set_errors(self, rows: Rows, errors: NDArray[np.float64]) -> None:
        """New priorities of `rows` from the size of their errors (epsilon added), [N] each."""
        assert self._tree is not None and self._alpha is not None
        priorities = errors**self._alpha
        self._tree.update(rows, priorities)
        self._largest = max(self._largest, float(priorities.max()))

    def _at(self, rows: Rows, weights: NDArray[np.float32] | None) -> Drawn:
        arrays = self._arrays
        returns = arrays["rewards"][rows]
        discounts = np.full(len(rows), self._gamma, np.float32)
        last = rows
        for _ in range(self._n_step - 1):
            following = arrays["following"][last]
            goes_on = following >= 0
            if not goes_on.any():
                break
            last = np.where(goes_on, following, last)
            returns = returns + np.where(goes_on, discounts * arrays["rewards"][last], 0)
            discounts = np.where(goes_on, discounts * np.float32(self._gamma), discounts)
        discounts = np.where(arrays["terminated"][last], np.float32(0), discounts)
        return Drawn(
            rows,
            arrays["obs"][rows],
            arrays["actions"][rows],
            returns,
            arrays["next_obs"][last],
            discounts,
            weights,
        )

    def get_state(self) -> dict[str, Any]:
        """Plain data: what is filled of the arrays, the links and the priorities."""
        tree = self._tree.priorities[: self.size] if self._tree is not None else None
        return {
            "arrays": {name: array[: self.size] for name, array in self._arrays.items()},
            "head": self._head,
            "last": self._last,
            "largest": self._largest,
            "priorities": tree,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state` of a replay of the same capacity."""
        for name, array in state["arrays"].items():
            self._arrays[name][: len(array)] = array
            self.size = len(array)
        self._head, self._largest = int(state["head"]), float(state["largest"])
        self._last = np.array(state["last"])
        if self._tree is not None:
            priorities = np.zeros(self.capacity)
            priorities[: self.size] = state["priorities"]
            self._tree.rebuild(priorities)
