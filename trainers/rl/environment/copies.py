"""Gymnasium's synchronous vector environment without its per-step copies of everything.

Equal to `SyncVectorEnv(autoreset_mode=SAME_STEP)` in what it returns, but for the infos: only the
final observations and infos of episodes that ended, by row. Each copy also remembers the state of
its random generator at its last reset and its actions since, from which `set_state` brings a fresh
environment back to the same place: that is how a run resumes in the middle of its episodes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import Env, spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.vector.utils import concatenate, iterate
from numpy.typing import NDArray


class Copies(SyncVectorEnv):  # type: ignore[misc]
    """The environments that `makers` make, stepped one after the other."""

    def __init__(self, makers: Sequence[Callable[[], Env[Any, Any]]]) -> None:
        super().__init__(list(makers), copy=False, autoreset_mode="SameStep")
        self._history: list[list[Any]] = [[] for _ in self.envs]
        self._origins: list[dict[str, Any]] = [{} for _ in self.envs]
        self._is_box = isinstance(self.single_observation_space, spaces.Box)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """As SyncVectorEnv; copy i takes `seed + i`."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        result = super().reset(seed=seeds, options=options)
        self._origins = [{"seed": own} for own in seeds or [None] * self.num_envs]
        self._history = [[] for _ in self.envs]
        return result

    def step(self, actions: Any) -> Any:
        """As SyncVectorEnv; infos hold `final_obs` and `final_info`, row -> value."""
        infos: dict[str, Any] = {}
        for i, action in enumerate(iterate(self.action_space, actions)):
            obs, reward, terminated, truncated, info = self.envs[i].step(action)
            self._history[i].append(action)
            self._rewards[i] = reward
            self._terminations[i] = terminated
            self._truncations[i] = truncated
            if terminated or truncated:
                infos.setdefault("final_obs", {})[i] = obs
                infos.setdefault("final_info", {})[i] = info
                obs = self._restart(i)
            self._env_obs[i] = obs
        return self._batch(), self._rewards, self._terminations, self._truncations, infos

    def get_state(self) -> dict[str, Any]:
        """Plain data from which `set_state` of new copies goes on."""
        return {
            "origins": [dict(origin) for origin in self._origins],
            "history": [np.asarray(actions) for actions in self._history],
        }

    def set_state(self, state: dict[str, Any]) -> NDArray[Any]:
        """Replay the current episode of every copy; the batch of observations then."""
        for i, origin in enumerate(state["origins"]):
            actions = list(state["history"][i])
            self._env_obs[i] = self._replay(i, origin, actions)
            self._origins[i], self._history[i] = dict(origin), actions
        batch: NDArray[Any] = self._batch()
        return batch

    def _restart(self, i: int) -> Any:
        generator = self.envs[i].unwrapped.np_random.bit_generator
        self._origins[i], self._history[i] = {"generator": generator.state}, []
        return self.envs[i].reset()[0]

    def _replay(self, i: int, origin: dict[str, Any], actions: list[Any]) -> Any:
        env = self.envs[i]
        if "generator" in origin:
            env.unwrapped.np_random.bit_generator.state = origin["generator"]
            obs, _ = env.reset()
        else:
            obs, _ = env.reset(seed=origin["seed"])
        for action in actions:
            obs = env.step(action)[0]
        return obs

    def _batch(self) -> Any:
        if self._is_box:
            for i, obs in enumerate(self._env_obs):
                self._observations[i] = obs
            return self._observations
        self._observations: Any = concatenate(
            self.single_observation_space, self._env_obs, self._observations
        )
        return self._observations
