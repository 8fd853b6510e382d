"""Policies of RLlib at play.

`ModulePlayer` acts in our own environments by the RLModule alone, many at a time, for one agent
without memory. `RunnerPlayer` plays in an env runner of RLlib: slower, one episode at a time, but
whatever RLlib can train: many agents, recurrent modules, DreamerV3.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.callbacks.callbacks import RLlibCallback

from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import Observations, observations_of
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.rllib.checkpoint import make_runner
from trivium.trainers.rl.rllib.environment import features


def make_player(runner: Any, observation_space: Any) -> "ModulePlayer | RunnerPlayer":
    """The player of an env runner's module, for observations of the job's environment."""
    from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

    module = runner.module
    if isinstance(module, MultiRLModule) or module.is_stateful():
        return RunnerPlayer(runner)
    return ModulePlayer(module, runner, observations_of(observation_space))


class ModulePlayer:
    """One agent's module without memory."""

    def __init__(self, module: Any, runner: Any, observations: Observations) -> None:
        self._module = module
        self._observations = observations
        self._space = runner.env.single_action_space
        self._config = runner.config
        self._generator = torch.Generator()

    def start(self, num_envs: int, seed: int) -> None:
        """See `Player`."""
        self._generator.manual_seed(seed)

    @torch.inference_mode()
    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """See `Player`; modules that give actions only (DQN) have no other to sample."""
        from ray.rllib.core.columns import Columns

        seen = torch.from_numpy(np.ascontiguousarray(features(self._observations, obs)))
        out = self._module.forward_inference({Columns.OBS: seen})
        if Columns.ACTIONS in out:
            return self._bounded(out[Columns.ACTIONS].numpy())
        kind = self._module.get_inference_action_dist_cls()
        distribution = kind.from_logits(out[Columns.ACTION_DIST_INPUTS])
        if not sample:
            return self._bounded(distribution.to_deterministic().sample().numpy())
        with torch.random.fork_rng(devices=[]):  # RLlib's distributions draw from the global one
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=self._generator)))
            return self._bounded(distribution.sample().numpy())

    def _bounded(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions as stored; RLlib's networks give those of a Box as -1 .. 1 of its bounds."""
        low, high = getattr(self._space, "low", None), getattr(self._space, "high", None)
        if low is None or high is None:
            return actions
        if self._config.normalize_actions and self._space.is_bounded():
            actions = low + (actions + 1.0) * (high - low) / 2.0
        bounded: NDArray[Any] = np.clip(actions, low, high).reshape(len(actions), -1)
        return bounded


class RunnerPlayer:
    """Whole episodes in RLlib's env runner; see `play_episodes`."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def start(self, num_envs: int, seed: int) -> None:
        """See `Player`."""

    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """See `Player`; a policy of many agents does not act on arrays."""
        raise NotImplementedError

    def play(
        self,
        settings: EnvSettings,
        episodes: int,
        seed: int,
        *,
        sample: bool,
        max_steps: int,
        is_stopping: Callable[[], bool],
    ) -> list[Episode]:
        """`episodes` episodes, one after the other, the first of them seeded.

        The return of many agents is the sum of theirs; the length counts steps of the environment.
        `max_steps` has no effect: the environment must end its episodes.
        """
        return _play(self._runner, episodes, seed, sample, is_stopping)

    def film(self, episodes: int, seed: int, sample: bool) -> tuple[list[Any], list[Episode]]:
        """What the environment's render() gave before each step and after the last; the episodes.

        The environment must be one that is made with render_mode="rgb_array".
        """
        runner = make_runner(self._runner.config, Camera, render=True)
        runner.module.set_state(self._runner.module.get_state())
        played = _play(runner, episodes, seed, sample, lambda: False)
        [camera] = [c for c in runner._callbacks if isinstance(c, Camera)]
        return camera.frames, played


class Camera(RLlibCallback):  # type: ignore[misc]
    """Keeps a picture of every step that an env runner of one environment takes."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Any] = []

    def on_episode_start(self, *, env: Any, env_index: int, **_: Any) -> None:
        """Called by the env runner after a reset."""
        self.frames.append(env.envs[env_index].render())

    def on_episode_step(self, *, env: Any, env_index: int, **_: Any) -> None:
        """Called by the env runner after a step."""
        self.frames.append(env.envs[env_index].render())


def _play(
    runner: Any, episodes: int, seed: int, sample: bool, is_stopping: Callable[[], bool]
) -> list[Episode]:
    runner._seed = seed
    runner._needs_initial_reset = True
    played = []
    for _ in range(episodes):
        if is_stopping():
            break
        [episode] = runner.sample(num_episodes=1, explore=sample)
        played.append(Episode(float(episode.get_return()), len(episode), None))
        runner._seed = None
    runner.get_metrics()
    return played
