"""Inventory-v0 for a batch of copies."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from trivium.envs.batch_env import BatchEnv, Rows
from trivium.envs.inventory.env import observation_space
from trivium.envs.inventory.render import picture
from trivium.envs.inventory.rules import InventoryRules
from trivium.envs.random_streams import NUM_WORDS, Words


class InventoryVectorEnv(BatchEnv):
    """A batch of `InventoryEnv`s; the arguments are `BatchEnv`'s and `InventoryRules`'."""

    num_reset_words = 1
    num_step_words = 1
    state_arrays = ("stock", "pipeline", "period")

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 100,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        **rules: Any,
    ) -> None:
        self.rules = InventoryRules(**rules)
        self.single_observation_space = observation_space(self.rules)
        self.single_action_space = spaces.Discrete(self.rules.max_order + 1)
        super().__init__(num_envs, max_episode_steps, render_mode, autoreset_mode, copy)
        self._demands = self.rules.demand_table()
        self.stock = np.zeros(num_envs, dtype=np.int32)
        self.pipeline = np.zeros((self.rules.lead_time, num_envs), dtype=np.int32)
        self.period = np.zeros((3, num_envs), dtype=np.int32)

    def _start(self, rows: Rows, words: Words) -> None:
        self.stock[rows] = words[0].astype(np.int64) * (self.rules.start_stock + 1) // NUM_WORDS
        self.pipeline[:, rows] = 0
        self.period[:, rows] = 0

    def _advance(
        self, actions: npt.NDArray[np.integer[Any]], words: Words
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        rules = self.rules
        room = rules.capacity - self.stock - self.pipeline.sum(axis=0, dtype=np.int32)
        order = np.minimum(actions, room)
        stock = self.stock + self.pipeline[0]
        self.pipeline[:-1] = self.pipeline[1:]
        self.pipeline[-1] = order
        demand = self._demands.take(words[0])
        left = stock - demand
        unmet = np.maximum(-left, 0)
        held = np.maximum(left, 0)
        if rules.backlog:
            served = demand
            np.maximum(left, -rules.capacity, out=self.stock)
        else:
            served = demand - unmet
            self.stock[:] = held
        if self.render_mode is not None:
            self.period[:] = order, demand, unmet
        profit = (
            rules.margin * served
            - rules.holding_cost * held
            - rules.shortage_cost * unmet
            - rules.order_cost * (order > 0)
        )
        profit *= rules.scale
        return profit, np.zeros(self.num_envs, dtype=np.bool_)

    def _observe(self, rows: Rows | slice, out: npt.NDArray[Any]) -> None:
        unit = 1.0 / self.rules.capacity
        np.multiply(self.stock[rows], unit, out=out[:, 0], casting="same_kind")
        np.multiply(self.pipeline[:, rows].T, unit, out=out[:, 1:], casting="same_kind")

    def _picture(self, row: int) -> npt.NDArray[np.uint8]:
        order, demand, unmet = self.period[:, row].tolist()
        pipeline = self.pipeline[:, row].tolist()
        return picture(self.rules, int(self.stock[row]), pipeline, (order, demand, unmet))
