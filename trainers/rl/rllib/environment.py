"""Environments as RLlib's env runners take them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import Observations, observations_of, one_hot

if TYPE_CHECKING:
    from gymnasium import Env

NAME = "trivium"
"""Under which RLlib finds the environment of the job."""


def make_for_rllib(settings: EnvSettings, render: bool = False) -> "Env[Any, Any]":
    """The job's environment; what is not a Box becomes one float vector, discrete parts one-hot.

    RLlib's own encoders take Box observations only, and it counts discrete actions from 0. An
    environment of many agents stays as it is. `render` makes it give pictures.
    """
    import gymnasium

    env = make_one(settings, render)
    if is_multi_agent(env):
        return env
    env = _counted_from_0(env)
    if isinstance(env.observation_space, gymnasium.spaces.Box):
        return env
    observations = observations_of(env.observation_space)
    size = observations.feature_shape
    space = gymnasium.spaces.Box(-np.inf, np.inf, size, np.float32)

    def encode(observation: Any) -> NDArray[np.float32]:
        row: NDArray[np.float32] = features(observations, observations.one(observation)[None])[0]
        return row

    return gymnasium.wrappers.TransformObservation(env, encode, space)


def _counted_from_0(env: Any) -> Any:
    from gymnasium import spaces, wrappers

    space = env.action_space
    start = getattr(space, "start", 0)
    if not np.any(start):
        return env
    is_one = isinstance(space, spaces.Discrete)
    own = spaces.Discrete(space.n) if is_one else spaces.MultiDiscrete(space.nvec)
    return wrappers.TransformAction(env, lambda action: action + start, own)


def features(observations: Observations, stored: NDArray[Any]) -> NDArray[Any]:
    """What RLlib's network reads of stored observations [B, ...], see `make_for_rllib`."""
    if observations.kind in ("box", "image"):
        return stored
    if observations.sizes:
        return one_hot(stored.reshape(len(stored), len(observations.sizes)), observations.sizes)
    return stored.reshape(len(stored), -1).astype(np.float32, copy=False)


def is_multi_agent(env: Any) -> bool:
    """Whether `env` is RLlib's MultiAgentEnv."""
    from ray.rllib.env.multi_agent_env import MultiAgentEnv

    return isinstance(env.unwrapped, MultiAgentEnv)


def agents_of(env: Any) -> list[str]:
    """The names of all agents that may take part."""
    return [str(agent) for agent in env.unwrapped.possible_agents]
