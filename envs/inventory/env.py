"""Stock control: what to order, when each order costs money and demand is random."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from trivium.envs.inventory.render import picture
from trivium.envs.inventory.rules import InventoryRules
from trivium.envs.random_streams import NUM_WORDS
from trivium.envs.stream_env import StreamEnv


def observation_space(rules: InventoryRules) -> spaces.Box:
    """Stock and the orders on their way, as shares of the capacity."""
    low = np.zeros(1 + rules.lead_time, dtype=np.float32)
    low[0] = -1.0 if rules.backlog else 0.0
    return spaces.Box(low, np.ones_like(low), dtype=np.float32)


class InventoryEnv(StreamEnv):
    """Order stock for random demand, when every order costs a fixed sum and arrives late.

    ## Description

    A shop sells one item. In every period it decides how many units to order from its supplier;
    the order costs a fixed sum whatever its size and arrives `lead_time` periods later. Then the
    customers come, and a random number of units is asked for. What the shop does not have is lost
    (or waits, with `backlog=True`); what it has left costs money to hold.

    The course of a period: order; the delivery due now arrives; demand; costs. An order of period
    t can be sold in period t + `lead_time`.

    With backlog, some (s, S) policy - when stock and orders fall to s or below, order up to S - is
    optimal (Scarf 1960). With lost sales and a lead time it is not (Zipkin 2008), so that here the
    best (s, S) policy is a score that can be beaten; `baseline.py` searches it, and computes the
    true optimum by value iteration.

    ## Action space

    `Discrete(max_order + 1)`: units to order. Stock and what is on order may not exceed `capacity`:
    a larger order is cut to the room left.

    ## Observation space

    `Box(0, 1, (1 + lead_time,), float32)`, the first number from -1 with backlog.

    | Num | Observation | Min | Max | Unit |
    | --- | --- | --- | --- | --- |
    | 0 | stock in hand; negative: customers waiting | 0 (-1) | 1 | `capacity` units |
    | 1 | order that arrives in this period, ready for its demand | 0 | 1 | `capacity` units |
    | k | order that arrives in k - 1 periods | 0 | 1 | `capacity` units |

    ## Rewards

    `margin` per unit of demand met, less `holding_cost` per unit left, less `shortage_cost` per
    unit not met, less `order_cost` if anything was ordered; all divided by `margin * demand_mean`.
    A return of 100 in 100 periods is a shop that meets the mean demand and pays for nothing.

    ## Starting state

    Nothing is on order; the stock is uniform between 0 and the mean demand of `lead_time` + 1
    periods.

    ## Episode end

    Nothing terminates an episode. `gymnasium.make` truncates it after 100 periods.

    ## Arguments

    The fields of `trivium.envs.inventory.rules.InventoryRules`, by name:

    ```python
    gymnasium.make("trivium/Inventory-v0", lead_time=1, backlog=True)
    ```

    ## References

    - H. Scarf, "The optimality of (S, s) policies in the dynamic inventory problem", 1960.
    - P. Zipkin, "Old and new methods for lost-sales inventory systems", Operations Research, 2008.

    ## Version history

    - v0: initial version.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}
    num_reset_words = 1
    num_step_words = 1

    def __init__(self, render_mode: str | None = None, **rules: Any) -> None:
        super().__init__(render_mode)
        self.rules = InventoryRules(**rules)
        self.observation_space = observation_space(self.rules)
        self.action_space = spaces.Discrete(self.rules.max_order + 1)
        self._demands = self.rules.demand_table().tobytes()
        self._scale = self.rules.scale
        self._unit = 1.0 / self.rules.capacity
        self.stock = 0
        self.pipeline = [0] * self.rules.lead_time
        self.period: tuple[int, int, int] = (0, 0, 0)

    def _start(self, words: list[int]) -> None:
        self.stock = words[0] * (self.rules.start_stock + 1) // NUM_WORDS
        self.pipeline = [0] * self.rules.lead_time
        self.period = (0, 0, 0)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One period; see the class."""
        rules = self.rules
        order = min(int(action), rules.capacity - self.stock - sum(self.pipeline))
        self.pipeline.append(order)
        stock = self.stock + self.pipeline.pop(0)
        demand = self._demands[self._draw()[0]]
        left = stock - demand
        unmet = max(-left, 0)
        held = max(left, 0)
        if rules.backlog:
            served = demand
            self.stock = max(left, -rules.capacity)
        else:
            served = demand - unmet
            self.stock = held
        self.period = (order, demand, unmet)
        profit = (
            rules.margin * served
            - rules.holding_cost * held
            - rules.shortage_cost * unmet
            - rules.order_cost * (order > 0)
        )
        return self._observe(), profit * self._scale, False, False, {}

    def _observe(self) -> npt.NDArray[np.float32]:
        return np.array(
            [units * self._unit for units in (self.stock, *self.pipeline)], dtype=np.float32
        )

    def _picture(self) -> npt.NDArray[np.uint8]:
        return picture(self.rules, self.stock, self.pipeline, self.period)
