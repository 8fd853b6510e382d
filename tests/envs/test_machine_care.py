from typing import Any

import numpy as np
import pytest

from trivium.envs.evaluate import returns
from trivium.envs.machine_care.baseline import CareAbove, Optimum
from trivium.envs.machine_care.env import MachineCareEnv
from trivium.envs.machine_care.rules import MachineCareRules
from trivium.envs.machine_care.vector import MachineCareVectorEnv
from trivium.envs.registry import ENVS

NAME = "trivium/MachineCare-v0"


def in_state(levels: list[int], **rules: Any) -> MachineCareEnv:
    env = MachineCareEnv(**rules)
    env.reset(seed=0)
    env.levels = levels
    return env


def test_a_machine_cared_for_is_new_and_makes_nothing_meanwhile() -> None:
    env = in_state([3, 0, 5], wear_chance=0.0, breakdown_chance=0.0)
    outputs = [1 - 0.36, 1.0, 0.0]
    assert env.step(0)[1] == pytest.approx(sum(outputs) / 3)
    assert env.step(3)[1] == pytest.approx((outputs[0] + outputs[1] - 5.0) / 3)
    assert env.levels == [3, 0, 0]
    assert env.step(1)[1] == pytest.approx((1.0 + 1.0 - 2.0) / 3)
    assert env.levels == [0, 0, 0]


def test_the_plant_closes_when_all_machines_are_broken() -> None:
    env = in_state([5, 5, 4], wear_chance=0.0, breakdown_chance=1.0)
    observation, _, terminated, truncated, _ = env.step(0)
    assert (observation, terminated, truncated) == (215, True, False)
    batch = MachineCareVectorEnv(2, breakdown_chance=1.0, wear_chance=0.0)
    batch.reset(seed=0)
    batch.levels[:] = [[5, 4], [5, 0], [4, 4]]
    batch._index[:] = [5 * 36 + 5 * 6 + 4, 4 * 36 + 4]
    assert batch.step(np.array([0, 0]))[2].tolist() == [True, False]


def test_the_index_is_the_levels_as_digits() -> None:
    env = in_state([1, 2, 3])
    assert env.index() == 1 * 36 + 2 * 6 + 3
    assert in_state([1, 2], num_machines=2, num_levels=10).index() == 12


def test_wear_has_the_stated_chances() -> None:
    rules = MachineCareRules(num_levels=4, wear_chance=0.5, spread=0.5, breakdown_chance=0.25)
    table = rules.wear_table()
    # The first machine wears with half the mean chance, the last one with one and a half times it.
    # Level 1 of 0, 1, 2 and broken: breakdown 0.25 * (1/2)^2 = 0.0625.
    for machine, wear in enumerate((0.25, 0.5, 0.75)):
        chances = np.bincount(table[machine, 1], minlength=4) / 65536
        expected = [0.0, 0.9375 * (1 - wear), 0.9375 * wear, 0.0625]
        assert chances == pytest.approx(expected, abs=2e-5)
    assert (table[:, 3] == 3).all()


def test_value_iteration_on_one_machine_agrees_with_pencil_and_paper() -> None:
    # Levels 0, 1 and broken, outputs 1, 0.75 and 0. Level 0 stays or wears, half each; level 1
    # breaks with 0.25, else stays or wears out with half each: 0.375 stay, 0.625 break, which
    # closes the plant.
    rules = MachineCareRules(
        num_machines=1, num_levels=3, wear_chance=0.5, breakdown_chance=0.25,
        service_cost=0.0, repair_cost=2.0,
    )  # fmt: skip
    one, two, three = (Optimum(rules, num_steps=steps) for steps in (1, 2, 3))
    assert one.values.tolist() == [1.0, 0.75, 0.0]
    assert two.values.tolist() == [1.0 + 0.5 * 1.0 + 0.5 * 0.75, 0.75 + 0.375 * 0.75, 0.0]
    # With three steps left, caring at level 1 gives 0 + 1.875; running gives 0.75 + 0.375 * 1.03.
    assert three.values[1] == 1.875
    assert (two.actions[1], three.actions[1]) == (0, 1)
    assert three.bound == three.values[0], "a start is level 0 when there are three levels"


def test_the_optimum_plays_as_well_as_it_says_and_better_than_rules_of_thumb() -> None:
    rules = MachineCareRules()
    optimum = Optimum(rules)
    scores = returns(NAME, optimum, 200)
    assert abs(scores.mean() - optimum.mean_return) < 4 * scores.std() / 200**0.5
    assert optimum.mean_return <= optimum.bound
    thumb = max(returns(NAME, CareAbove(rules, level), 50).mean() for level in range(1, 6))
    assert thumb < 0.98 * optimum.mean_return
    assert 0.98 * optimum.mean_return == pytest.approx(ENVS[NAME].reward_threshold, abs=0.06)


def test_levels_can_be_observed_apart() -> None:
    observation, *_ = in_state([5, 0, 2], observation="levels", wear_chance=0.0).step(0)
    np.testing.assert_array_equal(observation, np.float32([1.0, 0.0, 0.4]))


@pytest.mark.parametrize("observation", ["index", "levels"])
def test_both_observations_are_the_same_in_a_batch(observation: Any) -> None:
    batch = MachineCareVectorEnv(2, observation=observation)
    alone = MachineCareEnv(observation=observation)
    batch.reset(seed=4)
    alone.reset(seed=5)
    for action in (0, 1, 2, 3) * 5:
        seen = batch.step(np.array([0, action]))[0][1]
        np.testing.assert_array_equal(seen, alone.step(action)[0])


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"num_machines": 0}, "num_machines 0: must be 1 or more"),
        ({"num_levels": 2}, "num_levels 2: must be 3 or more"),
        (
            {"num_machines": 8},
            "num_levels 6 ** num_machines 8 = 1679616 states: must be at most 100000",
        ),
        ({"breakdown_chance": 1.5}, "breakdown_chance 1.5: must be from 0 to 1"),
        (
            {"wear_chance": 0.8, "spread": 0.5},
            "spread 0.5: must be from 0 to 1, and wear_chance * (1 + spread) = 1.2000000000000002 "
            "at most 1",
        ),
        ({"observation": "image"}, "observation 'image': must be 'index' or 'levels'"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        MachineCareEnv(**rules)
    assert str(error.value) == message
