"""The numbers of a Recommend environment, and the tables that both versions look up."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trivium.envs.random_streams import quantile_table

NUM_LEVELS = 16
"""Levels of interest: 0 for none."""
NUM_KINDS = 2
"""An item is solid (even numbers) or catchy (odd numbers)."""


@dataclass(frozen=True, kw_only=True)
class RecommendRules:
    """A catalogue with a solid and a catchy item for each topic, and users whose taste drifts."""

    num_topics: int = 8
    """Topics, from 2 to 64; the catalogue has two items for each."""
    slate_size: int = 3
    """Items shown at a time, at least 1 and fewer than the catalogue has."""
    drift: float = 0.05
    """Chance per step and topic that the taste moves by one of 16 levels, up or down."""
    boredom: int = 2
    """Levels by which the interest in a topic falls with a click; one level returns per step."""
    catchiness: float = 2.0
    """How many times likelier than a solid item a catchy one of the same topic is clicked."""
    patience: int = 15
    """Patience at the start and at most; the user leaves at 0."""
    memory: float = 0.97
    """Share of the counts of items shown and clicked that a step keeps."""

    def __post_init__(self) -> None:
        if not 2 <= self.num_topics <= 64:
            raise ValueError(f"num_topics {self.num_topics}: must be from 2 to 64")
        if not 1 <= self.slate_size < self.num_items:
            raise ValueError(
                f"slate_size {self.slate_size}: must be from 1 to {self.num_items - 1}, "
                f"fewer than the {self.num_items} items"
            )
        if not 0.0 <= self.drift <= 1.0:
            raise ValueError(f"drift {self.drift}: must be from 0 to 1")
        if not 0 <= self.boredom < NUM_LEVELS:
            raise ValueError(f"boredom {self.boredom}: must be from 0 to {NUM_LEVELS - 1}")
        if self.catchiness < 1.0:
            raise ValueError(f"catchiness {self.catchiness}: must be 1 or more")
        if self.patience < 1:
            raise ValueError(f"patience {self.patience}: must be 1 or more")
        if not 0.0 <= self.memory < 1.0:
            raise ValueError(f"memory {self.memory}: must be at least 0 and below 1")

    @property
    def num_items(self) -> int:
        """Items in the catalogue; item i is of topic i // 2."""
        return NUM_KINDS * self.num_topics

    @property
    def num_words(self) -> int:
        """Random words of a step: the choice, and the drift of each topic."""
        return 1 + self.num_topics

    def attraction(self) -> npt.NDArray[np.float64]:
        """Weight in the user's choice `[NUM_LEVELS * NUM_KINDS]` at `level * NUM_KINDS + kind`.

        The weight of clicking nothing is 1.
        """
        solid = [3.0 * math.exp((level - NUM_LEVELS + 1) / 2.5) for level in range(NUM_LEVELS)]
        return np.array([[weight, weight * self.catchiness] for weight in solid]).ravel()

    def drift_table(self) -> npt.NDArray[np.int8]:
        """How a taste moves, -1, 0 or 1, for each random word."""
        return _drift_table(self.drift)


@lru_cache
def _drift_table(drift: float) -> npt.NDArray[np.int8]:
    table = quantile_table([drift / 2, 1.0 - drift, drift / 2]).astype(np.int8) - np.int8(1)
    table.flags.writeable = False  # one array for every environment of the process
    return table
