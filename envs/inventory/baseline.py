"""The score to beat in Inventory-v0, the best (s, S) policy, and the optimum by value iteration."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.envs.inventory.rules import InventoryRules
from trivium.envs.random_streams import NUM_WORDS


class OrderUpTo:
    """The (s, S) policy: when stock and orders are at `reorder_at` or below, order up to `up_to`.

    Without levels, the best ones are searched by simulation (`best_levels`).
    """

    def __init__(
        self, rules: InventoryRules, reorder_at: int | None = None, up_to: int | None = None
    ) -> None:
        self.rules = rules
        if reorder_at is None or up_to is None:
            reorder_at, up_to = best_levels(rules)
        self.reorder_at, self.up_to = reorder_at, up_to

    def __call__(self, env: Any) -> int:
        """The order for the state of an unwrapped `InventoryEnv`."""
        position = env.stock + sum(env.pipeline)
        if position > self.reorder_at:
            return 0
        return int(min(self.up_to - position, self.rules.max_order))


def best_levels(
    rules: InventoryRules, num_periods: int = 100, num_copies: int = 2048, seed: int = 0
) -> tuple[int, int]:
    """The (s, S) with the highest mean return over `num_periods`, every pair on the same demand.

    All pairs play a few episodes; the best tenth go on with four times as many, and so on.
    """
    pairs = np.array(
        [(s, up) for up in range(1, rules.capacity + 1) for s in range(-1, up)], dtype=np.int32
    )
    copies = 16
    while len(pairs) > 1:
        scores = level_returns(rules, pairs, num_periods, copies, seed)
        best = np.argsort(-scores)
        pairs = pairs[best[: max(1, len(pairs) // 10)]] if copies < num_copies else pairs[best[:1]]
        copies = min(copies * 4, num_copies)
    reorder_at, up_to = pairs[0].tolist()
    return reorder_at, up_to


def level_returns(
    rules: InventoryRules, pairs: npt.NDArray[np.int32], num_periods: int, copies: int, seed: int
) -> npt.NDArray[np.float64]:
    """Mean return of each pair (s, S) `[P, 2]` over `copies` episodes, the same ones for each."""
    from trivium.envs.inventory.vector import InventoryVectorEnv

    env = InventoryVectorEnv(len(pairs) * copies, None, copy=False, **asdict(rules))
    env.reset(seed=list(range(seed, seed + copies)) * len(pairs))
    reorder_at, up_to = np.repeat(pairs, copies, axis=0).T
    total = np.zeros(env.num_envs)
    for _ in range(num_periods):
        position = env.stock + env.pipeline.sum(axis=0)
        order = np.where(position <= reorder_at, np.minimum(up_to - position, rules.max_order), 0)
        total += env.step(order)[1]
    means: npt.NDArray[np.float64] = total.reshape(len(pairs), copies).mean(axis=1)
    return means


class Optimum:
    """The best that any policy can do, by value iteration over every stock and every pipeline.

    Backward induction over the periods left: exact for a finite number of periods and for the
    demand table of the environment. As a policy it takes the best order with all periods left, as
    it does not see the clock either. The arriving order is ready for the demand of its period, so
    that the state is the sum of stock and arrival, and the lead_time - 1 later orders.
    Memory grows as `max_order` to the power of `lead_time`.

    Attributes:
        values: expected return of the periods left, `[stock and arrival, later orders ...]`.
        orders: the best order with all periods left, of the same shape.
        bound: expected return from the starting states of a policy that counts the periods.
        mean_return: the same of this policy.
    """

    def __init__(self, rules: InventoryRules, num_periods: int = 100) -> None:
        self.rules = rules
        later = (rules.max_order + 1,) * (rules.lead_time - 1)
        ready, self._lowest = _stocks(rules)
        profit, moves = self._demand(ready)
        self._room = _room(ready, later, rules)
        self.values = np.zeros((len(ready), *later))
        self.orders = np.zeros(self.values.shape, dtype=np.int64)
        fixed = np.zeros(self.values.shape)
        for _ in range(num_periods):
            gains = self._gains(self.values, profit, moves)
            self.orders = gains.argmax(axis=-1)
            self.values = gains.max(axis=-1)
        for _ in range(num_periods):
            gains = self._gains(fixed, profit, moves)
            fixed = np.take_along_axis(gains, self.orders[..., None], axis=-1)[..., 0]
        self.bound = self._mean_over_starts(self.values)
        self.mean_return = self._mean_over_starts(fixed)

    def __call__(self, env: Any) -> int:
        """The best order for the state of an unwrapped `InventoryEnv`, its end far away."""
        first, *others = env.pipeline
        return int(self.orders[(env.stock + first - self._lowest, *others)])

    def _demand(
        self, ready: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Expected profit `[ready]` before the cost of ordering, and `[ready, left]` chances."""
        rules = self.rules
        probabilities = rules.demand_probabilities()
        profit = np.zeros(len(ready))
        moves = np.zeros((len(ready), len(ready)))
        for demand, probability in enumerate(probabilities):
            left = ready - demand
            unmet = np.maximum(-left, 0)
            served = demand if rules.backlog else demand - unmet
            profit += probability * (
                rules.margin * served
                - rules.holding_cost * np.maximum(left, 0)
                - rules.shortage_cost * unmet
            )
            after = np.maximum(left, self._lowest)
            moves[np.arange(len(ready)), after - self._lowest] += probability
        return profit * rules.scale, moves

    def _gains(
        self,
        values: npt.NDArray[np.float64],
        profit: npt.NDArray[np.float64],
        moves: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        """One period more, for each order q `[ready, later orders ..., q]`.

        V[y, p_1, ...] = profit[y] + max_q (E[V[left + p_1, p_2, ..., q]] - cost of q).
        """
        rules = self.rules
        orders = np.arange(rules.max_order + 1)
        # The units that arrive next: the first later order, or without one this period's order.
        shifted = np.stack([_shift(values, units) for units in orders], axis=1)
        expected = (moves @ shifted.reshape(len(profit), -1)).reshape(shifted.shape)
        gains = expected - rules.order_cost * rules.scale * (orders > 0)
        gains += profit.reshape(-1, *([1] * (gains.ndim - 1)))
        return np.where(orders <= self._room[..., None], gains, -np.inf)

    def _mean_over_starts(self, values: npt.NDArray[np.float64]) -> float:
        stocks = np.arange(NUM_WORDS) * (self.rules.start_stock + 1) // NUM_WORDS
        nothing_on_order = (0,) * (values.ndim - 1)
        return float(values[(stocks - self._lowest, *nothing_on_order)].mean())


def _stocks(rules: InventoryRules) -> tuple[npt.NDArray[np.int64], int]:
    lowest = -rules.capacity if rules.backlog else 0
    return np.arange(lowest, rules.capacity + 1), lowest


def _room(
    ready: npt.NDArray[np.int64], later: tuple[int, ...], rules: InventoryRules
) -> npt.NDArray[np.int64]:
    """Largest order in each state; states beyond the capacity do not occur and count as full."""
    on_order = sum(np.indices(later, sparse=True), start=np.zeros(later, dtype=np.int64))
    position = ready.reshape(-1, *([1] * len(later))) + on_order
    room: npt.NDArray[np.int64] = np.maximum(rules.capacity - position, 0)
    return room


def _shift(values: npt.NDArray[np.float64], units: np.int64) -> npt.NDArray[np.float64]:
    """The values `units` of stock further, the last one repeated beyond the capacity."""
    return np.concatenate([values[units:], np.repeat(values[-1:], units, axis=0)])
