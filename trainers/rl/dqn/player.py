"""A network of action values at play."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.dqn.gradient import untraced
from trivium.trainers.rl.dqn.network import QNetwork


class QPlayer:
    """Takes the action of the highest value; sampling, a random one with probability `epsilon`."""

    def __init__(self, network: QNetwork, epsilon: float) -> None:
        self.network = network
        self._values = untraced(network)
        self._epsilon = epsilon
        self._device = next(network.parameters()).device
        self._generator = np.random.default_rng(0)

    def start(self, num_envs: int, seed: int) -> None:
        """See `Player`."""
        self._generator = np.random.default_rng(seed)

    @torch.inference_mode()
    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """See `Player`."""
        values = self._values(torch.from_numpy(obs).to(self._device))
        actions: NDArray[np.int64] = values.argmax(1).cpu().numpy()
        if sample:
            tries = np.flatnonzero(self._generator.random(len(obs)) < self._epsilon)
            actions[tries] = self._generator.integers(values.shape[1], size=len(tries))
        return actions
