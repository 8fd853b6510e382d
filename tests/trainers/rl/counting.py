"""Environments made for tests: their observations say which step of which episode it is."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Counting(gymnasium.Env[Any, Any]):
    """Observation [episode, step]; reward is the step's number; ends after `length` steps."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, length: int = 3, end: str = "terminated", render_mode: str | None = None):
        self.observation_space = spaces.Box(0, 1000, (2,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.length, self.end, self.render_mode = length, end, render_mode
        self.episode, self.steps = -1, 0

    def _obs(self) -> Any:
        return np.array([self.episode, self.steps], np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.episode = -1
        self.episode, self.steps = self.episode + 1, 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        ended = self.steps >= self.length
        info = {"is_success": self.episode % 2 == 0} if ended else {}
        return (
            self._obs(),
            float(self.steps),
            ended and self.end == "terminated",
            ended and self.end == "truncated",
            info,
        )

    def render(self) -> Any:
        return np.full((8, 12, 3), self.steps * 10, np.uint8)


class Ones(Counting):
    """One observation for all states; the return is how often the action was 1."""

    def _obs(self) -> Any:
        return np.zeros(2, np.float32)

    def step(self, action: Any) -> Any:
        obs, _, *ended = super().step(action)
        return obs, float(action), *ended


class Parity(gymnasium.Env[Any, Any]):
    """Any observation and action space by name; reward 1 when the action is the right one."""

    OBSERVATIONS: ClassVar = {
        "box": spaces.Box(-1, 1, (3,), np.float32),
        "box64": spaces.Box(-1, 1, (2, 2), np.float64),
        "image": spaces.Box(0, 255, (12, 12, 3), np.uint8),
        "discrete": spaces.Discrete(4, start=2),
        "multi_discrete": spaces.MultiDiscrete([2, 3]),
        "multi_binary": spaces.MultiBinary(5),
        "dict": spaces.Dict(
            {
                "place": spaces.Box(-1, 1, (2,), np.float32),
                "mode": spaces.Discrete(3),
                "inner": spaces.Dict({"flags": spaces.MultiBinary(2)}),
            }
        ),
        "tuple": spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (1,), np.float32))),
    }
    ACTIONS: ClassVar = {
        "discrete": spaces.Discrete(3, start=1),
        "multi_discrete": spaces.MultiDiscrete([2, 3]),
        "box": spaces.Box(-2, 2, (2,), np.float32),
        "unbounded": spaces.Box(-np.inf, np.inf, (1,), np.float32),
    }

    def __init__(self, observation: str = "box", action: str = "discrete", length: int = 5):
        self.observation_space = self.OBSERVATIONS[observation]
        self.action_space = self.ACTIONS[action]
        self.length, self.steps = length, 0

    def _obs(self) -> Any:
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.steps += 1
        return self._obs(), 1.0, False, self.steps >= self.length, {}


class Remember(gymnasium.Env[Any, Any]):
    """Shows a bit once, at the start; the last action of the episode must repeat it."""

    def __init__(self, length: int = 4) -> None:
        self.observation_space = spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.length, self.steps, self.bit = length, 0, 0

    def _obs(self) -> Any:
        shown = (2 * self.bit - 1) if self.steps == 0 else 0
        return np.array([shown, self.steps / self.length], np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps, self.bit = 0, int(self.np_random.integers(2))
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        ended = self.steps >= self.length
        reward = float(ended and int(action) == self.bit)
        return self._obs(), reward, ended, False, {}
