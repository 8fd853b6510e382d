"""Mean returns of policies on our environments: the score to beat, the optimum, random play."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from trivium.envs.registry import register_all

Policy = Callable[[Any], Any]
"""From the unwrapped scalar environment, whose state it may read, to an action."""


def returns(name: str, policy: Policy, num_episodes: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Undiscounted returns `[num_episodes]` of episodes with the seeds `seed`, `seed` + 1, ..."""
    register_all()
    env = gymnasium.make(name, disable_env_checker=True)
    scores = np.zeros(num_episodes)
    for episode in range(num_episodes):
        env.reset(seed=seed + episode)
        over = False
        while not over:
            _, reward, terminated, truncated, _ = env.step(policy(env.unwrapped))
            scores[episode] += float(reward)
            over = terminated or truncated
    env.close()
    return scores


def random_policy(seed: int = 0) -> Policy:
    """Uniformly random actions."""
    generator = np.random.default_rng(seed)

    def act(env: Any) -> Any:
        space = env.action_space
        if isinstance(space, gymnasium.spaces.MultiDiscrete):
            return generator.integers(space.nvec)
        return int(generator.integers(space.n))

    return act
