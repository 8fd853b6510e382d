"""GridDrive-v0 for a batch of copies."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from trivium.envs.batch_env import BatchEnv, Rows
from trivium.envs.grid_drive.cities import NUM_GOALS, cities
from trivium.envs.grid_drive.env import (
    DISTANCE_UNIT,
    NEARER_UNIT,
    NUM_SEEN,
    VIEW_STEPS,
    WAIT_UNIT,
    moves,
    observation_space,
    seen_cells,
)
from trivium.envs.grid_drive.render import picture
from trivium.envs.grid_drive.rules import CRASH_REWARD, LAP, LIGHT_PERIOD, STEP_COST, GridDriveRules
from trivium.envs.random_streams import NUM_WORDS, Words


class GridDriveVectorEnv(BatchEnv):
    """A batch of `GridDriveEnv`s; the arguments are `BatchEnv`'s and `GridDriveRules`'."""

    state_arrays = (
        "time", "cell", "goal_cell", "_distance", "_share", "_city_base", "_goal_base",
        "_ring_base", "turns", "senses", "traffic",
    )  # fmt: skip

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 100,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        **rules: Any,
    ) -> None:
        self.rules = GridDriveRules(**rules)
        self.num_reset_words = self.rules.num_words
        self.single_observation_space = observation_space()
        self.single_action_space = spaces.Discrete(5)
        super().__init__(num_envs, max_episode_steps, render_mode, autoreset_mode, copy)
        self.cities = cities(self.rules)
        self._waits = self.cities.waits.ravel()
        self._rings = self.cities.rings.astype(np.int16).ravel()
        self._distances = self.cities.distances.ravel()
        self._moves = moves(self.rules).astype(np.int16)
        self._seen = seen_cells(self.rules)
        num_cars, self._num_cells = self.rules.num_cars, self.rules.board_side**2
        self._places = np.array(np.divmod(np.arange(self._num_cells), self.rules.board_side))
        # By the offset of a cell, counted from the lowest one: its place in view, else -1.
        self._place_of = np.full(2 * self._num_cells, -1, dtype=np.int8)
        self._place_of[self._seen + self._num_cells] = np.arange(NUM_SEEN)
        self.time = np.zeros(num_envs, dtype=np.int64)
        self.cell = np.zeros(num_envs, dtype=np.int16)
        self.goal_cell = np.zeros(num_envs, dtype=np.int64)
        self._distance = np.zeros(num_envs, dtype=np.int16)
        self._share = np.zeros(num_envs)
        # Where the copy's city, its goal's distances and its cars' rings begin in the tables.
        self._city_base = np.zeros(num_envs, dtype=np.int64)
        self._goal_base = np.zeros(num_envs, dtype=np.int64)
        self._ring_base = np.zeros((num_cars, num_envs), dtype=np.int64)
        self.turns = np.zeros((num_cars, num_envs), dtype=np.int64)
        self.senses = np.zeros((num_cars, num_envs), dtype=np.int64)
        self.traffic = np.zeros((2, num_cars, num_envs), dtype=np.int16)
        """The cells of the cars now, and after the next step."""

    def _start(self, rows: Rows, words: Words) -> None:
        library, num_cars = self.cities, self.rules.num_cars
        drawn = words[: self.rules.num_words].astype(np.int64)
        city = drawn[0] * self.rules.num_cities // NUM_WORDS
        goal = drawn[1] * NUM_GOALS // NUM_WORDS
        goal_cell = library.goals[city, goal]
        num_safe = library.num_safe[city]
        start = drawn[2] * num_safe // NUM_WORDS
        cell = library.safe[city, start]
        cell = np.where(cell == goal_cell, library.safe[city, (start + 1) % num_safe], cell)
        self.time[rows] = 0
        self.cell[rows] = cell
        self.goal_cell[rows] = goal_cell
        self._city_base[rows] = city * (LIGHT_PERIOD * self._num_cells)
        self._goal_base[rows] = goal_base = (city * NUM_GOALS + goal) * self._num_cells
        self._distance[rows] = distance = self._distances[goal_base + cell]
        self._share[rows] = 1.0 / distance
        ring_base = (city * num_cars + np.arange(num_cars)[:, None]) * LAP
        turns, senses = drawn[3:] % LAP, np.where(drawn[3:] & LAP, 1, -1)
        next_turns = (turns + senses) % LAP
        self._ring_base[:, rows], self.turns[:, rows] = ring_base, next_turns
        self.senses[:, rows] = senses
        self.traffic[0][:, rows] = self._rings[ring_base + turns]
        self.traffic[1][:, rows] = self._rings[ring_base + next_turns]

    def _advance(
        self, actions: npt.NDArray[np.integer[Any]], words: Words
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        target = self.cell + self._moves.take(actions)
        wait = self._waits.take(self._wait_base() + target)
        target = np.where(wait, self.cell, target)
        cars, next_cars = self.traffic
        crashed = (next_cars == target) | ((cars == target) & (next_cars == self.cell))
        crash = crashed.any(axis=0) if len(cars) else np.zeros(self.num_envs, dtype=np.bool_)
        distance = self._distances.take(self._goal_base + target)
        progress = (self._distance - distance) * self._share - STEP_COST
        self.cell[:], self._distance[:] = target, distance
        self.time += 1
        self.turns += self.senses
        self.turns &= LAP - 1
        self.traffic[0] = next_cars
        self._rings.take(self._ring_base + self.turns, out=self.traffic[1], mode="clip")
        return np.where(crash, CRASH_REWARD, progress), crash | (distance == 0)

    def _wait_base(self) -> npt.NDArray[np.int64]:
        return self._city_base + self.time % LIGHT_PERIOD * self._num_cells

    def _observe(self, rows: Rows | slice, out: npt.NDArray[Any]) -> None:
        cell, distance = self.cell[rows], self._distance[rows]
        wait = self._waits.take((self._wait_base()[rows] + cell)[:, None] + self._seen)
        np.multiply(wait, WAIT_UNIT, out=out[:, :NUM_SEEN])
        self._observe_cars(self.traffic[:, :, rows] - cell, out)
        there = self._distances.take((self._goal_base[rows] + cell)[:, None] + self._seen)
        nearer = distance[:, None] - there
        np.maximum(nearer, -VIEW_STEPS, out=nearer)
        np.minimum(nearer, VIEW_STEPS, out=nearer)
        np.multiply(nearer, NEARER_UNIT, out=out[:, 3 * NUM_SEEN : 4 * NUM_SEEN])
        to_goal = self._places.take(self.goal_cell[rows], axis=1) - self._places.take(cell, axis=1)
        out[:, -3:-1] = to_goal.T / self.rules.side
        out[:, -1] = np.minimum(distance * DISTANCE_UNIT, 1.0)

    def _observe_cars(self, offsets: npt.NDArray[np.int16], out: npt.NDArray[Any]) -> None:
        """Mark the cars that are now, and next, at these offsets `[2, num_cars, R]` in view."""
        out[:, NUM_SEEN : 3 * NUM_SEEN] = 0.0
        places = self._place_of.take(offsets + np.int16(self._num_cells), mode="clip").ravel()
        in_view = np.flatnonzero(places >= 0)
        is_next, others = np.divmod(in_view, offsets[0].size)
        out[others % len(out), (1 + is_next) * NUM_SEEN + places[in_view]] = 1.0

    def _picture(self, row: int) -> npt.NDArray[np.uint8]:
        waits = self.cities.waits[self._city_base[row] // (LIGHT_PERIOD * self._num_cells)]
        time = int(self.time[row]) % LIGHT_PERIOD
        cars, next_cars = self.traffic[:, :, row].tolist()
        cell, goal_cell = int(self.cell[row]), int(self.goal_cell[row])
        return picture(self.rules, waits, time, cell, goal_cell, cars, next_cars)
