"""The numbers of a GridDrive environment."""

from dataclasses import dataclass

LAP = 8
"""Steps in which a car drives round its block."""
LIGHT_PERIOD = 6
"""Steps after which a light repeats."""
GREEN_STEPS = 3
"""Steps of its period in which a light lets cars in."""
PERIOD = 24
"""Steps after which cars and lights repeat together."""
CLOSED = 8
"""The wait for a cell that no car may ever enter; that for a light is shorter."""
VIEW = 2
"""Cells that the driver sees in each direction; also the width of the closed rim of a board."""

STEP_COST = 0.01
CRASH_REWARD = -1.0 - STEP_COST


@dataclass(frozen=True, kw_only=True)
class GridDriveRules:
    """Cities of square blocks, their traffic and their lights."""

    num_blocks: int = 7
    """Blocks along a side, an odd number from 3 to 15; a city is 2 * num_blocks + 1 cells wide."""
    num_cars: int = 10
    """Cars, each round a block of its own: at most ((num_blocks + 1) / 2) ** 2 - 1."""
    street_density: float = 0.35
    """Share of the streets that are open beyond those that keep the city connected."""
    light_density: float = 0.3
    """Share of the streets without traffic that have a light."""
    num_cities: int = 128
    """Cities in the library that an episode draws from, up to 1024."""
    city_seed: int = 0
    """Seed of the library; another one gives cities that were not trained on."""

    def __post_init__(self) -> None:
        if not 3 <= self.num_blocks <= 15 or self.num_blocks % 2 == 0:
            raise ValueError(f"num_blocks {self.num_blocks}: must be an odd number from 3 to 15")
        most = ((self.num_blocks + 1) // 2) ** 2 - 1
        if not 0 <= self.num_cars <= most:
            raise ValueError(
                f"num_cars {self.num_cars}: must be from 0 to {most} "
                f"with num_blocks {self.num_blocks}"
            )
        for name in ("street_density", "light_density"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be from 0 to 1")
        if not 1 <= self.num_cities <= 1024:
            raise ValueError(f"num_cities {self.num_cities}: must be from 1 to 1024")
        if self.city_seed < 0:
            raise ValueError(f"city_seed {self.city_seed}: must be 0 or more")

    @property
    def side(self) -> int:
        """Cells along a side of a city."""
        return 2 * self.num_blocks + 1

    @property
    def board_side(self) -> int:
        """Cells along a side of a board: the city and its closed rim."""
        return self.side + 2 * VIEW

    @property
    def num_words(self) -> int:
        """Random words of a starting state: city, goal, start, and one per car."""
        return 3 + self.num_cars
