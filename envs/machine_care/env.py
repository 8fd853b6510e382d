"""Machine maintenance: which machine to care for, while all of them wear."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from trivium.envs.machine_care.render import picture
from trivium.envs.machine_care.rules import MachineCareRules
from trivium.envs.random_streams import NUM_WORDS
from trivium.envs.stream_env import StreamEnv


def observation_space(rules: MachineCareRules) -> spaces.Space[Any]:
    """One whole number, or the wear of each machine."""
    if rules.observation == "index":
        return spaces.Discrete(rules.num_states)
    return spaces.Box(0.0, 1.0, (rules.num_machines,), np.float32)


class MachineCareEnv(StreamEnv):
    """Care for machines that wear, one at a time, before they break.

    ## Description

    A plant has a few machines, some of which wear faster than others. A machine wears while it
    runs: its output falls, and it may break down, the sooner the more it is worn. A broken machine
    makes nothing until it is repaired. One crew can care for one machine per step, which then is
    as good as new; the machine stands still in that step, and repairing a broken one costs more
    than servicing a worn one.

    Caring too early wastes output, too late costs a breakdown, and while the crew is busy the
    others wear on: the best machine to care for depends on all of them. `baseline.py` computes the
    optimum by value iteration.

    ## Action space

    `Discrete(num_machines + 1)`

    | Action | Meaning |
    | --- | --- |
    | 0 | let all machines run |
    | k | care for machine k - 1: it stands still, and is new in the next step |

    ## Observation space

    With `observation="index"`, the default: `Discrete(num_levels ** num_machines)`, the levels of
    wear as the digits of one number in base `num_levels`, machine 0 first.

    With `observation="levels"`: `Box(0, 1, (num_machines,), float32)`.

    | Num | Observation | Min | Max | Unit |
    | --- | --- | --- | --- | --- |
    | k | wear of machine k | 0 (new) | 1 (broken) | share of `num_levels - 1` levels |

    ## Rewards

    The output of the running machines, each `1 - wear ** 2` with the wear from 0 to 1, less
    `service_cost` or `repair_cost` if the crew worked; divided by the number of machines. A return
    of 100 in 100 steps is a plant whose machines all stay new on their own.

    ## Starting state

    The level of each machine is uniform in the lower half of the levels.

    ## Episode end

    1. Termination: all machines are broken, and the plant closes.
    2. Truncation, by `gymnasium.make`: 100 steps.

    ## Arguments

    The fields of `trivium.envs.machine_care.rules.MachineCareRules`, by name:

    ```python
    gymnasium.make("trivium/MachineCare-v0", num_machines=4, observation="levels")
    ```

    ## References

    - R. Barlow and L. Hunter, "Optimum preventive maintenance policies", Operations Research, 1960.
    - M. Puterman, "Markov Decision Processes", 1994: value iteration, and equipment replacement.

    ## Version history

    - v0: initial version.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, render_mode: str | None = None, **rules: Any) -> None:
        super().__init__(render_mode)
        self.rules = MachineCareRules(**rules)
        self.num_reset_words = self.num_step_words = self.rules.num_machines
        self.observation_space = observation_space(self.rules)
        self.action_space = spaces.Discrete(self.rules.num_machines + 1)
        self._next_levels = [[row.tobytes() for row in table] for table in self.rules.wear_table()]
        self._rewards = self.rules.reward_table().tolist()
        self.levels = [0] * self.rules.num_machines
        self.last_action = 0

    def _start(self, words: list[int]) -> None:
        machines = range(self.rules.num_machines)
        self.levels = [words[k] * self.rules.num_start_levels // NUM_WORDS for k in machines]
        self.last_action = 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step of the plant; see the class."""
        self.last_action = int(action)
        reward: float = self._rewards[self.index()][self.last_action]
        words = self._draw()
        tables = self._next_levels
        self.levels = [tables[k][level][words[k]] for k, level in enumerate(self.levels)]
        if self.last_action:
            self.levels[self.last_action - 1] = 0
        terminated = min(self.levels) == self.rules.broken
        return self._observe(), reward, terminated, False, {}

    def index(self) -> int:
        """The state as one number."""
        index = 0
        for level in self.levels:
            index = index * self.rules.num_levels + level
        return index

    def _observe(self) -> Any:
        if self.rules.observation == "index":
            return self.index()
        broken = self.rules.broken
        return np.array([level / broken for level in self.levels], dtype=np.float32)

    def _picture(self) -> npt.NDArray[np.uint8]:
        return picture(self.rules, self.levels, self.last_action)
