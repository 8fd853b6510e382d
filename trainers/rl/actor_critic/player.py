"""An actor-critic policy at play."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.actor_critic.inference import Inference
from trivium.trainers.rl.actor_critic.policy import Memory, Policy


class PolicyPlayer:
    """Plays `policy` as it is at each moment; random numbers of its own (see Player)."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._inference = Inference(policy)
        self._generator = np.random.default_rng(0)
        self._memory: Memory | None = None

    def start(self, num_envs: int, seed: int) -> None:
        """See Player."""
        self._generator = np.random.default_rng(seed)
        if self._policy.memory_size is not None:
            self._memory = self._policy.initial_memory(num_envs)

    @torch.inference_mode()
    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """See Player."""
        stored = torch.from_numpy(obs)
        if self._memory is None:
            parameters = self._inference.parameters(stored)
        else:
            parameters, _, self._memory = self._policy.step(
                stored, torch.from_numpy(starting), self._memory
            )
        distribution, array = self._policy.distribution, parameters.numpy()
        if sample:
            noise = distribution.noise(self._generator, (len(array),))
            return distribution.bounded(distribution.sample(array, noise))
        return distribution.bounded(distribution.best(array))
