"""The numbers of a MachineCare environment, and the tables that both versions look up."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from trivium.envs.random_streams import NUM_WORDS, quantile_table

MAX_STATES = 100_000


@dataclass(frozen=True, kw_only=True)
class MachineCareRules:
    """Machines that wear, some faster than others, and one crew to care for them."""

    num_machines: int = 3
    """Machines, at least 1."""
    num_levels: int = 6
    """Levels of wear, at least 3: 0 is new, the last one is broken."""
    wear_chance: float = 0.4
    """Chance per step that a running machine wears by one level, on the mean of the machines."""
    spread: float = 0.8
    """How unequal the machines are: the first one wears with `1 - spread` times the mean chance,
    the last one with `1 + spread` times, the others in even steps between."""
    breakdown_chance: float = 0.3
    """Chance per step that a machine of the last level before broken breaks down; it grows with
    the square of the wear, from 0 for a new machine."""
    service_cost: float = 2.0
    """Cost of caring for a machine that is not broken, in steps of output of a new machine."""
    repair_cost: float = 5.0
    """Cost of caring for a broken machine, in the same unit."""
    observation: Literal["index", "levels"] = "index"
    """"index" for one whole number, as tables need it; "levels" for a number per machine."""

    def __post_init__(self) -> None:
        if self.num_machines < 1:
            raise ValueError(f"num_machines {self.num_machines}: must be 1 or more")
        if self.num_levels < 3:
            raise ValueError(f"num_levels {self.num_levels}: must be 3 or more")
        if self.num_states > MAX_STATES:
            raise ValueError(
                f"num_levels {self.num_levels} ** num_machines {self.num_machines} = "
                f"{self.num_states} states: must be at most {MAX_STATES}"
            )
        for name in ("wear_chance", "breakdown_chance"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be from 0 to 1")
        if not 0.0 <= self.spread <= 1.0 or self.wear_chance * (1.0 + self.spread) > 1.0:
            raise ValueError(
                f"spread {self.spread}: must be from 0 to 1, and wear_chance * (1 + spread) = "
                f"{self.wear_chance * (1.0 + self.spread)} at most 1"
            )
        for name in ("service_cost", "repair_cost"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be 0 or more")
        if self.observation not in ("index", "levels"):
            raise ValueError(f"observation {self.observation!r}: must be 'index' or 'levels'")

    @property
    def num_states(self) -> int:
        """States of all machines together."""
        return int(self.num_levels**self.num_machines)

    @property
    def broken(self) -> int:
        """The level of wear of a broken machine."""
        return self.num_levels - 1

    @property
    def strides(self) -> tuple[int, ...]:
        """What a level of each machine adds to the index of a state; the last machine adds 1."""
        return tuple(self.num_levels**power for power in reversed(range(self.num_machines)))

    @property
    def num_start_levels(self) -> int:
        """Levels of wear that a machine may have at the start."""
        return self.num_levels // 2

    def output(self) -> npt.NDArray[np.float64]:
        """Output of a step `[num_levels]`: 1 when new, 0 when broken, falling faster and faster."""
        worn = np.arange(self.num_levels) / self.broken
        return 1.0 - worn**2

    def wear_table(self) -> npt.NDArray[np.uint8]:
        """The next level `[num_machines, num_levels, NUM_WORDS]` of a running machine, by word."""
        return _wear_table(
            self.num_machines, self.num_levels, self.wear_chance, self.spread, self.breakdown_chance
        )

    def reward_table(self) -> npt.NDArray[np.float64]:
        """The reward `[num_states, num_machines + 1]` of each action in each state."""
        levels = np.indices((self.num_levels,) * self.num_machines).reshape(self.num_machines, -1)
        output = self.output()[levels]
        rewards = np.tile(output.sum(axis=0), (self.num_machines + 1, 1))
        for machine in range(self.num_machines):
            cost = np.where(levels[machine] == self.broken, self.repair_cost, self.service_cost)
            rewards[machine + 1] -= output[machine] + cost
        return np.ascontiguousarray(rewards.T) / self.num_machines


@lru_cache
def _wear_table(
    num_machines: int, num_levels: int, wear_chance: float, spread: float, breakdown_chance: float
) -> npt.NDArray[np.uint8]:
    broken = num_levels - 1
    factors = np.linspace(1.0 - spread, 1.0 + spread, num_machines) if num_machines > 1 else [1.0]
    table = np.full((num_machines, num_levels, NUM_WORDS), broken, dtype=np.uint8)
    for machine, factor in enumerate(factors):
        for level in range(broken):
            breakdown = breakdown_chance * (level / (broken - 1)) ** 2
            wear = wear_chance * factor
            chances = np.zeros(num_levels)
            chances[level] = (1.0 - breakdown) * (1.0 - wear)
            chances[level + 1] = (1.0 - breakdown) * wear
            chances[broken] += breakdown
            table[machine, level] = quantile_table(chances)
    table.flags.writeable = False  # one array for every environment of the process
    return table
