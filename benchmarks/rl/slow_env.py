"""An environment that costs 50 microseconds a step, whatever the machine: it looks at the clock."""

import time

import gymnasium
import numpy as np

STEP_S = 50e-6


class Slow(gymnasium.Env):
    """Four numbers in, one of two actions out; an episode has 100 steps."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)
        self._obs, self._steps = np.zeros(4, np.float32), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._obs, {}

    def step(self, action):
        end = time.perf_counter() + STEP_S
        while time.perf_counter() < end:
            pass
        self._steps += 1
        return self._obs, 1.0, False, self._steps >= 100, {}
