"""The clock of all subjects: learning time until the mean of greedy episodes reaches the target.

A subject calls `check(act, env_steps)` between updates. Every `interval` environment steps it
plays episodes with the best actions; the clock stands still meanwhile, for everybody alike. This
file runs in each subject's own environment, so it needs Gymnasium and NumPy only.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

Act = Callable[[Any], Any]
"""Observations [B, ...] to the best actions [B]."""


@dataclass(frozen=True)
class Task:
    """What counts as reached."""

    env: str
    target: float
    episodes: int
    interval: int
    """Environment steps between two looks."""
    limit_s: float
    """Learning time after which a subject has failed, unless RACE_LIMIT_S says another."""
    kwargs: tuple[tuple[str, Any], ...] = ()


TASKS = {
    "cartpole": Task("CartPole-v1", 475, 100, 2_000, 300),
    "lunarlander": Task("LunarLander-v3", 200, 100, 20_000, 900),
    "frozenlake8x8": Task("FrozenLake8x8-v1", 0.85, 200, 20_000, 300),
    "taxi": Task("Taxi-v3", 7.5, 200, 10_000, 300),
    "cliffwalking": Task("CliffWalking-v1", -13, 1, 1_000, 300, (("max_episode_steps", 200),)),
}


class Race:
    """One subject on one task."""

    def __init__(self, task: str) -> None:
        self.task = TASKS[task]
        self.reached: bool | None = None
        self._limit_s = float(os.environ.get("RACE_LIMIT_S", self.task.limit_s))
        self._learning_s = 0.0
        self._next = self.task.interval
        self._began = time.perf_counter()

    def check(self, act: Act, env_steps: int) -> bool:
        """Whether the race is over; prints its result as JSON then."""
        now = time.perf_counter()
        self._learning_s += now - self._began
        if env_steps >= self._next:
            self._next = env_steps + self.task.interval
            mean = mean_return(self.task, act, seed=1_000_000 + env_steps)
            if mean >= self.task.target:
                self._finish(True, env_steps, mean)
        if self.reached is None and self._learning_s > self._limit_s:
            self._finish(False, env_steps, float("nan"))
        self._began = time.perf_counter()
        return self.reached is not None

    def _finish(self, reached: bool, env_steps: int, mean: float) -> None:
        self.reached = reached
        result = {
            "reached": reached,
            "learning_s": round(self._learning_s, 4),
            "env_steps": env_steps,
            "env_steps_per_s": round(env_steps / self._learning_s),
            "return_mean": mean if mean == mean else None,
        }
        print(json.dumps(result), flush=True)


def mean_return(task: Task, act: Act, seed: int) -> float:
    """Mean return of one greedy episode in each of `task.episodes` copies."""
    env = gymnasium.make_vec(task.env, task.episodes, **dict(task.kwargs))
    obs, _ = env.reset(seed=seed)
    returns, over = np.zeros(task.episodes), np.zeros(task.episodes, bool)
    while not over.all():
        obs, rewards, terminated, truncated, _ = env.step(np.asarray(act(obs)))
        returns += rewards * ~over
        over |= terminated | truncated
    env.close()
    return float(returns.mean())
