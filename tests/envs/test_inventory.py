from functools import cache
from typing import Any

import numpy as np
import pytest

from trivium.envs.evaluate import returns
from trivium.envs.inventory.baseline import Optimum, OrderUpTo, best_levels, level_returns
from trivium.envs.inventory.env import InventoryEnv
from trivium.envs.inventory.rules import InventoryRules
from trivium.envs.registry import ENVS

NAME = "trivium/Inventory-v0"


@cache
def optimum_of_the_default() -> Optimum:
    return Optimum(InventoryRules())


def in_state(stock: int, pipeline: list[int], **rules: Any) -> InventoryEnv:
    env = InventoryEnv(**rules)
    env.reset(seed=0)
    env.stock, env.pipeline = stock, pipeline
    return env


def test_an_order_is_delivered_after_the_lead_time_and_costs_once() -> None:
    # A mean demand of 1e-9 is none at all; the margin makes the scale 1.
    env = in_state(3, [2, 4], lead_time=2, demand_mean=1e-9, margin=1e9)
    observation, reward, *_ = env.step(5)
    assert (env.stock, env.pipeline) == (5, [4, 5])
    assert reward == pytest.approx(-0.2 * 5 - 2.0)
    np.testing.assert_array_equal(observation, np.float32([5 / 40, 4 / 40, 5 / 40]))
    assert env.step(0)[1] == pytest.approx(-0.2 * 9)
    assert env.step(0)[1] == pytest.approx(-0.2 * 14)


def test_demand_beyond_the_stock_is_lost() -> None:
    env = in_state(2, [1, 0, 0])
    _, reward, *_ = env.step(0)
    _, demand, unmet = env.period
    assert demand > 3, "the demand of this seed exceeds the three units at hand"
    assert (env.stock, unmet) == (0, demand - 3)
    assert reward == pytest.approx((1.0 * 3 - 0.5 * unmet) / 5.0)


def test_with_backlog_demand_waits() -> None:
    env = in_state(2, [1, 0, 0], backlog=True)
    observation, reward, *_ = env.step(0)
    _, demand, unmet = env.period
    assert (env.stock, unmet) == (3 - demand, demand - 3)
    assert reward == pytest.approx((1.0 * demand - 0.5 * unmet) / 5.0)
    assert observation[0] == np.float32((3 - demand) / 40) < 0


def test_an_order_is_cut_to_the_room_left() -> None:
    env = in_state(30, [5, 0, 1])
    env.step(15)
    assert env.period[0] == 40 - 36


def test_value_iteration_on_one_unit_of_stock_agrees_with_pencil_and_paper() -> None:
    # Demand 0 has the chance p = exp(-1). With one unit ready a period earns 1 - p - 0.1 p, with
    # none it earns 0. Two periods: with a unit, it is sold now or, with chance p, kept. With none,
    # ordering costs 0.2 and earns what one unit ready is worth in the last period.
    rules = InventoryRules(
        demand_mean=1.0, lead_time=1, max_order=1, capacity=1, holding_cost=0.1,
        shortage_cost=0.0, order_cost=0.2,
    )  # fmt: skip
    p = np.exp(-1.0)
    one = 1.0 - p - 0.1 * p
    last, both = Optimum(rules, num_periods=1), Optimum(rules, num_periods=2)
    assert last.values == pytest.approx([0.0, one], abs=1e-4)
    assert both.values == pytest.approx([one - 0.2, one + p * one], abs=1e-4)
    assert both.orders.tolist() == [1, 0]
    assert both.bound == pytest.approx(both.values.mean())


def test_the_optimum_plays_as_well_as_it_says() -> None:
    optimum = optimum_of_the_default()
    scores = returns(NAME, optimum, 200)
    assert abs(scores.mean() - optimum.mean_return) < 4 * scores.std() / 200**0.5
    assert optimum.mean_return <= optimum.bound


def test_with_lost_sales_the_optimum_beats_the_best_order_up_to_policy() -> None:
    rules = InventoryRules()
    policy = OrderUpTo(rules)
    pair = np.array([[policy.reorder_at, policy.up_to]], dtype=np.int32)
    score = level_returns(rules, pair, 100, 4000, seed=10**6)[0]
    best = optimum_of_the_default().mean_return
    assert 0.9 * best < score < 0.98 * best
    assert 0.98 * best == pytest.approx(ENVS[NAME].reward_threshold, abs=0.05)


def test_with_backlog_the_optimum_is_an_order_up_to_policy_as_scarf_proved() -> None:
    rules = InventoryRules(lead_time=1, backlog=True, max_order=40, demand_mean=3.0)
    orders = Optimum(rules).orders[rules.capacity :]  # from no stock to full
    up_to = orders[0]
    reorder_at = int(np.flatnonzero(orders)[-1])
    stock = np.arange(len(orders))
    np.testing.assert_array_equal(orders, np.where(stock <= reorder_at, up_to - stock, 0))
    assert np.abs(np.subtract(best_levels(rules), (reorder_at, up_to))).max() <= 2


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"demand_mean": 0.0}, "demand_mean 0.0: must be above 0 and at most 100"),
        ({"lead_time": 0}, "lead_time 0: must be 1 or more"),
        ({"max_order": 50}, "max_order 50: must be at most capacity 40"),
        ({"order_cost": -1.0}, "order_cost -1.0: must be 0 or more"),
        ({"margin": 0.0}, "margin 0.0: must be above 0"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        InventoryEnv(**rules)
    assert str(error.value) == message
