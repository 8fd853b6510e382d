"""Running statistics of observations and of discounted returns, saved with the run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.environment.wrappers import ClipRewardSettings, NormalizeRewardSettings
from trivium.trainers.rl.rollout import Rollout


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


class RewardPipeline:
    """The job's reward wrappers, in their order, on whole rollouts."""

    def __init__(self, wrappers: Sequence[ComponentSettings], num_envs: int, gamma: float) -> None:
        self._stages: list[RewardScaler | ClipRewardSettings] = []
        for wrapper in wrappers:
            if isinstance(wrapper, NormalizeRewardSettings):
                self._stages.append(RewardScaler(num_envs, gamma, wrapper.clip))
            elif isinstance(wrapper, ClipRewardSettings):
                self._stages.append(wrapper)

    def apply(self, rollout: Rollout) -> None:
        """Change the rewards that are learned from; reported returns were counted before."""
        for stage in self._stages:
            if isinstance(stage, RewardScaler):
                ended = rollout.terminated | rollout.truncated
                rollout.rewards = stage.scale(rollout.rewards, ended)
            else:
                rollout.rewards = np.clip(rollout.rewards, stage.low, stage.high)

    def get_state(self) -> list[Any]:
        """Plain data."""
        return [s.get_state() if isinstance(s, RewardScaler) else None for s in self._stages]

    def set_state(self, state: list[Any]) -> None:
        """Go on from `get_state`."""
        for stage, own in zip(self._stages, state, strict=True):
            if isinstance(stage, RewardScaler):
                stage.set_state(own)
