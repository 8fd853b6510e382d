"""Driving through a city: reach the goal among other cars and lights."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from trivium.envs.grid_drive.cities import NUM_GOALS, cities
from trivium.envs.grid_drive.render import picture
from trivium.envs.grid_drive.rules import (
    CLOSED,
    CRASH_REWARD,
    LAP,
    LIGHT_PERIOD,
    STEP_COST,
    VIEW,
    GridDriveRules,
)
from trivium.envs.random_streams import NUM_WORDS
from trivium.envs.stream_env import StreamEnv

WINDOW = 2 * VIEW + 1
NUM_SEEN = WINDOW * WINDOW
VIEW_STEPS = 2 * VIEW
"""Steps to the corner of the view."""
WAIT_UNIT = np.float32(1.0 / CLOSED)
NEARER_UNIT = np.float32(1.0 / VIEW_STEPS)
DISTANCE_UNIT = 1.0 / 64.0


def moves(rules: GridDriveRules) -> npt.NDArray[np.int64]:
    """What each action adds to the number of a cell: stay, up, right, down, left."""
    return np.array([0, -rules.board_side, 1, rules.board_side, -1])


def seen_cells(rules: GridDriveRules) -> npt.NDArray[np.int64]:
    """What to add to the number of a cell for the cells in view `[NUM_SEEN]`, row by row."""
    around = np.arange(-VIEW, VIEW + 1)
    cells: npt.NDArray[np.int64] = (around[:, None] * rules.board_side + around).ravel()
    return cells


def observation_space() -> spaces.Box:
    """Four planes of the cells in view, and where the goal is."""
    return spaces.Box(-1.0, 1.0, (4 * NUM_SEEN + 3,), np.float32)


class GridDriveEnv(StreamEnv):
    """Drive through a random city to a goal, past cars and lights that keep to known rules.

    ## Description

    A city is a grid of blocks with streets between them, some of which are closed. Other cars drive
    round blocks, one cell per step, and never stop; some streets have a light and may be entered
    only while it is green, 3 steps of 6. The driver has a navigator that knows the streets but
    neither cars nor lights: following it blindly ends in a crash, waiting for every car costs time.

    Each episode draws one of `num_cities` cities, a goal, a start, and the place and sense of every
    car. Cars and lights repeat every 24 steps, so that the shortest way through space and time is
    known: `baseline.py` finds it by A*, and no policy can do better. There is always a way.

    ## Action space

    `Discrete(5)`: 0 stay, 1 up, 2 right, 3 down, 4 left. A move to a cell that is closed, or whose
    light is red, leaves the car where it is.

    ## Observation space

    `Box(-1, 1, (103,), float32)`: four planes of the 5 x 5 cells around the car, row by row, and
    three numbers.

    | Num | Observation | Min | Max | Unit |
    | --- | --- | --- | --- | --- |
    | 0-24 | wait until the cell may be entered; 1: closed for good | 0 | 1 | 8 steps |
    | 25-49 | a car is in the cell | 0 | 1 | flag |
    | 50-74 | a car will be in the cell after this step | 0 | 1 | flag |
    | 75-99 | how much nearer to the goal the cell is by street; -1: closed | -1 | 1 | 4 cells |
    | 100 | goal below (positive) or above | -1 | 1 | sides of the city |
    | 101 | goal to the right (positive) or left | -1 | 1 | sides of the city |
    | 102 | distance to the goal by street, at most 1 | 0 | 1 | 64 cells |

    ## Rewards

    Every step: the change of the distance to the goal by street, divided by the distance at the
    start, less 0.01. On the way to the goal the changes add up to 1, so that an episode that
    arrives after n steps returns 1 - 0.01 n, whatever its way: the optimum is the fastest arrival.
    A crash: -1.01 for its step.

    ## Starting state

    A city of the library, a goal and a start of it, both off the ring roads of the cars; for each
    car a cell of its ring road and a sense of driving; all uniform.

    ## Episode end

    1. Termination: arrival at the goal.
    2. Termination: a crash. The driver and a car are in the same cell after the step, or have
       changed places.
    3. Truncation, by `gymnasium.make`: 100 steps.

    ## Arguments

    The fields of `trivium.envs.grid_drive.rules.GridDriveRules`, by name:

    ```python
    gymnasium.make("trivium/GridDrive-v0", num_cars=8, city_seed=1)  # busier, unknown cities
    ```

    ## References

    - P. Hart, N. Nilsson and B. Raphael, "A formal basis for the heuristic determination of minimum
      cost paths", 1968: A*.
    - A. Ng, D. Harada and S. Russell, "Policy invariance under reward transformations", 1999: why
      the reward of progress does not change what is best.

    ## Version history

    - v0: initial version.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, render_mode: str | None = None, **rules: Any) -> None:
        super().__init__(render_mode)
        self.rules = GridDriveRules(**rules)
        self.num_reset_words = self.rules.num_words
        self.observation_space = observation_space()
        self.action_space = spaces.Discrete(5)
        self.cities = cities(self.rules)
        self._moves = moves(self.rules).tolist()
        self._seen = seen_cells(self.rules)
        self._place = {offset: place for place, offset in enumerate(self._seen.tolist())}
        self.time = self.city = self.goal = self.cell = self.goal_cell = 0
        self.turns: list[int] = []
        self.senses: list[int] = []
        self.cars: list[int] = []
        self.next_cars: list[int] = []

    def _start(self, words: list[int]) -> None:
        library = self.cities
        self.time = 0
        self.city = words[0] * self.rules.num_cities // NUM_WORDS
        self.goal = words[1] * NUM_GOALS // NUM_WORDS
        self.goal_cell = int(library.goals[self.city, self.goal])
        num_safe = int(library.num_safe[self.city])
        start = words[2] * num_safe // NUM_WORDS
        self.cell = int(library.safe[self.city, start])
        if self.cell == self.goal_cell:
            self.cell = int(library.safe[self.city, (start + 1) % num_safe])
        self._distances = library.distances[self.city, self.goal]
        self._distance = int(self._distances[self.cell])
        self._share = 1.0 / self._distance
        self._waits = library.waits[self.city]
        self._rings = library.rings[self.city].tolist()
        car_words = words[3 : 3 + self.rules.num_cars]
        self.turns = [word % LAP for word in car_words]
        self.senses = [1 if word & LAP else -1 for word in car_words]
        self.cars = self._car_cells()
        self._turn_cars()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Drive one cell; see the class."""
        target = self.cell + self._moves[action]
        if self._waits[self.time % LIGHT_PERIOD, target]:
            target = self.cell
        crashed = self._meets_a_car(target)
        self.cell = target
        distance = int(self._distances[target])
        progress = (self._distance - distance) * self._share - STEP_COST
        self._distance = distance
        self.time += 1
        self.cars = self.next_cars
        self._turn_cars()
        reward = CRASH_REWARD if crashed else progress
        return self._observe(), reward, crashed or distance == 0, False, {}

    def _meets_a_car(self, target: int) -> bool:
        if target in self.next_cars:
            return True
        if target not in self.cars or self.cell not in self.next_cars:
            return False
        return self.cars.index(target) == self.next_cars.index(self.cell)

    def _car_cells(self) -> list[int]:
        return [ring[turn] for ring, turn in zip(self._rings, self.turns, strict=True)]

    def _turn_cars(self) -> None:
        pairs = zip(self.turns, self.senses, strict=True)
        self.turns = [(turn + sense) % LAP for turn, sense in pairs]
        self.next_cars = self._car_cells()

    def _observe(self) -> npt.NDArray[np.float32]:
        observation = np.zeros(4 * NUM_SEEN + 3, dtype=np.float32)
        seen = self._seen + self.cell
        wait = self._waits[self.time % LIGHT_PERIOD].take(seen)
        np.multiply(wait, WAIT_UNIT, out=observation[:NUM_SEEN])
        for cars, plane in ((self.cars, NUM_SEEN), (self.next_cars, 2 * NUM_SEEN)):
            for car in cars:
                place = self._place.get(car - self.cell)
                if place is not None:
                    observation[plane + place] = 1.0
        nearer = np.maximum(self._distance - self._distances.take(seen), -VIEW_STEPS)
        np.multiply(
            np.minimum(nearer, VIEW_STEPS), NEARER_UNIT, out=observation[-3 - NUM_SEEN : -3]
        )
        side = self.rules.board_side
        observation[-3] = (self.goal_cell // side - self.cell // side) / self.rules.side
        observation[-2] = (self.goal_cell % side - self.cell % side) / self.rules.side
        observation[-1] = min(self._distance * DISTANCE_UNIT, 1.0)
        return observation

    def _picture(self) -> npt.NDArray[np.uint8]:
        time = self.time % LIGHT_PERIOD
        return picture(
            self.rules, self._waits, time, self.cell, self.goal_cell, self.cars, self.next_cars
        )
