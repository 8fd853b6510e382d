"""Running statistics of observations and of discounted returns, saved with the run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class RunningMoments:
    """Mean and variance of all that was added (Chan et al. 1983: merging of two samples)."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.mean = np.zeros(shape)
        self.variance = np.ones(shape)
        self.count = 0.0

    def add(self, batch: NDArray[Any]) -> None:
        """Add `batch` [N, *shape]."""
        if not len(batch):
            return
        mean, variance, count = batch.mean(0, np.float64), batch.var(0, np.float64), len(batch)
        total = self.count + count
        delta = mean - self.mean
        squares = self.variance * self.count + variance * count
        squares += delta**2 * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.variance = squares / total
        self.count = total

    def get_state(self) -> dict[str, Any]:
        """Plain data."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self.mean, self.variance = np.array(state["mean"]), np.array(state["variance"])
        self.count = float(state["count"])


class RewardScaler:
    """Rewards over the standard deviation of the discounted return of `num_envs` copies.

    The mean stays, as subtracting it would change what is best where episodes end.
    """

    def __init__(self, num_envs: int, gamma: float, clip: float) -> None:
        self.gamma, self.clip = gamma, clip
        self._returns = np.zeros(num_envs)
        self._moments = RunningMoments()

    def scale(self, rewards: NDArray[np.float32], ended: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Rewards [T, B] scaled by what is known at the end of them; `ended` [T, B]."""
        returns = np.empty(rewards.shape)
        for t, reward in enumerate(rewards):
            self._returns = self._returns * self.gamma + reward
            returns[t] = self._returns
            self._returns[ended[t]] = 0.0
        self._moments.add(returns.reshape(-1))
        scaled = rewards / np.sqrt(self._moments.variance + 1e-8)
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)

    def get_state(self) -> dict[str, Any]:
        """Plain data."""
        return {"returns": self._returns, "moments": self._moments.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self._returns = np.array(state["returns"])
        self._moments.set_state(state["moments"])
