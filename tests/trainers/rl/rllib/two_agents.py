"""An environment of two agents, for tests: each sees a bit and is paid for naming its target."""

from typing import ClassVar

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv


class Bits(MultiAgentEnv):
    """Agent `same` should name the bit, agent `other` its opposite; ten steps."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode=None):
        super().__init__()
        self.render_mode = render_mode
        self.possible_agents = self.agents = ["same", "other"]
        self.observation_spaces = {a: spaces.Box(0.0, 1.0, (1,), np.float32) for a in self.agents}
        self.action_spaces = {a: spaces.Discrete(2) for a in self.agents}
        self._rng = np.random.default_rng()

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._steps = 0
        return self._see(), {}

    def step(self, actions):
        rewards = {
            "same": float(actions["same"] == self._bit),
            "other": float(actions["other"] != self._bit),
        }
        self._steps += 1
        return self._see(), rewards, {"__all__": False}, {"__all__": self._steps == 10}, {}

    def render(self):
        return np.full((8, 8, 3), self._steps, np.uint8)

    def _see(self):
        self._bit = int(self._rng.integers(2))
        return {a: np.array([self._bit], np.float32) for a in self.possible_agents}
