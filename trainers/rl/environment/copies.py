"""Gymnasium's synchronous vector environment without its per-step copies of everything.

Equal to `SyncVectorEnv(autoreset_mode=SAME_STEP)` in what it returns, but for the infos: only the
final observations and infos of episodes that ended. Each copy also remembers the state of its
random generator at its last reset and its actions since, from which `replay` brings a fresh
environment back to the same place: that is how a run resumes in the middle of its episodes.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gymnasium import Env
    from gymnasium.vector import SyncVectorEnv


def make_copies(makers: Sequence[Callable[[], "Env[Any, Any]"]]) -> "SyncVectorEnv":
    """The environments that `makers` make, stepped one after the other."""
    import gymnasium
    from gymnasium.vector.utils import concatenate, iterate

    class Copies(gymnasium.vector.SyncVectorEnv):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(list(makers), copy=False, autoreset_mode="SameStep")
            self.history: list[list[Any]] = [[] for _ in self.envs]
            self.origins: list[dict[str, Any]] = [{} for _ in self.envs]
            self._is_box = isinstance(self.single_observation_space, gymnasium.spaces.Box)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            result = super().reset(seed=seed, options=options)
            seeds = seed if isinstance(seed, list) else [seed] * self.num_envs
            if isinstance(seed, int):
                seeds = [seed + i for i in range(self.num_envs)]
            for i, own in enumerate(seeds):
                self.origins[i] = {"seed": own}
                self.history[i] = []
            return result

        def step(self, actions: Any) -> Any:
            infos: dict[str, Any] = {}
            observations = self._env_obs
            for i, action in enumerate(iterate(self.action_space, actions)):
                obs, reward, terminated, truncated, info = self.envs[i].step(action)
                self.history[i].append(action)
                self._rewards[i] = reward
                self._terminations[i] = terminated
                self._truncations[i] = truncated
                if terminated or truncated:
                    if not infos:
                        infos = {"final_obs": {}, "final_info": {}}
                    infos["final_obs"][i] = obs
                    infos["final_info"][i] = info
                    obs = self._restart(i)
                observations[i] = obs
            if self._is_box:
                batch = self._observations
                for i, obs in enumerate(observations):
                    batch[i] = obs
            else:
                self._observations = concatenate(
                    self.single_observation_space, observations, self._observations
                )
            return (
                self._observations,
                self._rewards,
                self._terminations,
                self._truncations,
                infos,
            )

        def _restart(self, i: int) -> Any:
            generator = self.envs[i].unwrapped.np_random.bit_generator
            self.origins[i] = {"generator": generator.state}
            self.history[i] = []
            return self.envs[i].reset()[0]

        def get_state(self) -> dict[str, Any]:
            """Plain data from which `set_state` of new copies goes on."""
            return {
                "origins": [dict(o) for o in self.origins],
                "history": [np.asarray(h) for h in self.history],
            }

        def set_state(self, state: dict[str, Any]) -> NDArray[Any]:
            """Replay the current episode of every copy; the batch of observations then."""
            for i, origin in enumerate(state["origins"]):
                env = self.envs[i]
                if "generator" in origin:
                    env.unwrapped.np_random.bit_generator.state = origin["generator"]
                    obs, _ = env.reset()
                else:
                    obs, _ = env.reset(seed=origin["seed"])
                actions = list(state["history"][i])
                for action in actions:
                    obs = env.step(action)[0]
                self._env_obs[i] = obs
                self.origins[i] = dict(origin)
                self.history[i] = actions
            self._observations = concatenate(
                self.single_observation_space, self._env_obs, self._observations
            )
            return self._observations

    return Copies()
