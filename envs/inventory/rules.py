"""The numbers of an Inventory environment, and what the scalar and the vector version look up."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trivium.envs.random_streams import quantile_table, table_probabilities


@dataclass(frozen=True, kw_only=True)
class InventoryRules:
    """One item, one supplier, periodic review."""

    demand_mean: float = 5.0
    """Mean of the Poisson demand of a period, units, up to 100."""
    lead_time: int = 3
    """Periods from an order to its delivery, 1 or more."""
    max_order: int = 15
    """Largest order, units."""
    capacity: int = 40
    """Room for stock and for what is on order, units; a larger order is cut to the room left."""
    margin: float = 1.0
    """Sales price less purchase price, money per unit served."""
    holding_cost: float = 0.2
    """Money per unit left at the end of a period."""
    shortage_cost: float = 0.5
    """Money per unit of demand not met; with backlog, per unit waiting at the end of a period."""
    order_cost: float = 2.0
    """Money per order, whatever its size."""
    backlog: bool = False
    """Whether demand that is not met waits for stock; else it is lost."""

    def __post_init__(self) -> None:
        if not 0.0 < self.demand_mean <= 100.0:
            raise ValueError(f"demand_mean {self.demand_mean}: must be above 0 and at most 100")
        for name in ("lead_time", "max_order", "capacity"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: must be 1 or more")
        for name in ("holding_cost", "shortage_cost", "order_cost"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be 0 or more")
        if self.margin <= 0.0:
            raise ValueError(f"margin {self.margin}: must be above 0")
        if self.max_order > self.capacity:
            raise ValueError(
                f"max_order {self.max_order}: must be at most capacity {self.capacity}"
            )

    @property
    def scale(self) -> float:
        """What makes 1.0 of the profit of a period in which the mean demand is met for nothing."""
        return 1.0 / (self.margin * self.demand_mean)

    @property
    def start_stock(self) -> int:
        """Largest stock at the start: the mean demand of the lead time and one period more."""
        return min(self.capacity, math.ceil(self.demand_mean * (self.lead_time + 1)))

    def demand_table(self) -> npt.NDArray[np.uint8]:
        """Demand of each random word."""
        return _poisson_table(self.demand_mean)

    def demand_probabilities(self) -> npt.NDArray[np.float64]:
        """Probability of a demand of 0, 1, ... units."""
        return table_probabilities(self.demand_table())


@lru_cache
def _poisson_table(mean: float) -> npt.NDArray[np.uint8]:
    probabilities = [math.exp(-mean)]
    for k in range(1, 256):
        probabilities.append(probabilities[-1] * mean / k)
    table = quantile_table(probabilities)
    table.flags.writeable = False  # one array for every environment of the process
    return table
