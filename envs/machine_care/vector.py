"""MachineCare-v0 for a batch of copies."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from trivium.envs.batch_env import BatchEnv, Rows
from trivium.envs.machine_care.env import observation_space
from trivium.envs.machine_care.render import picture
from trivium.envs.machine_care.rules import MachineCareRules
from trivium.envs.random_streams import NUM_WORDS, Words


class MachineCareVectorEnv(BatchEnv):
    """A batch of `MachineCareEnv`s; the arguments are `BatchEnv`'s and `MachineCareRules`'."""

    state_arrays = ("levels", "last_actions", "_index")

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 100,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        **rules: Any,
    ) -> None:
        self.rules = MachineCareRules(**rules)
        num_machines = self.rules.num_machines
        self.num_reset_words = self.num_step_words = num_machines
        self.single_observation_space = observation_space(self.rules)
        self.single_action_space = spaces.Discrete(num_machines + 1)
        super().__init__(num_envs, max_episode_steps, render_mode, autoreset_mode, copy)
        self._next_levels = self.rules.wear_table().ravel()
        self._rewards = self.rules.reward_table().ravel()
        self._strides = np.array(self.rules.strides)
        self._tables = np.arange(num_machines)[:, None] * self.rules.num_levels
        self._machines = np.arange(1, num_machines + 1)[:, None]  # as actions name them
        self.levels = np.zeros((num_machines, num_envs), dtype=np.int64)
        self.last_actions = np.zeros(num_envs, dtype=np.int64)
        self._index = np.zeros(num_envs, dtype=np.int64)

    def _start(self, rows: Rows, words: Words) -> None:
        first = words[: self.rules.num_machines].astype(np.int64)
        self.levels[:, rows] = first * self.rules.num_start_levels // NUM_WORDS
        self._index[rows] = self._strides @ self.levels[:, rows]
        self.last_actions[rows] = 0

    def _advance(
        self, actions: npt.NDArray[np.integer[Any]], words: Words
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        num_machines = self.rules.num_machines
        self.last_actions[:] = actions
        rewards = self._rewards.take(self._index * (num_machines + 1) + actions)
        after = self._next_levels.take(
            (self._tables + self.levels) * NUM_WORDS + words[:num_machines]
        )
        np.multiply(after, self._machines != actions, out=self.levels)
        self._index[:] = self._strides @ self.levels
        return rewards, self._index == self.rules.num_states - 1

    def _observe(self, rows: Rows | slice, out: npt.NDArray[Any]) -> None:
        if self.rules.observation == "index":
            out[:] = self._index[rows]
        else:
            np.divide(self.levels[:, rows].T, self.rules.broken, out=out, casting="same_kind")

    def _picture(self, row: int) -> npt.NDArray[np.uint8]:
        return picture(self.rules, self.levels[:, row].tolist(), int(self.last_actions[row]))
