import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trivium.envs.evaluate import returns
from trivium.envs.grid_drive.baseline import AStar, best_return
from trivium.envs.grid_drive.cities import FAR, NUM_GOALS, cities
from trivium.envs.grid_drive.env import GridDriveEnv
from trivium.envs.grid_drive.rules import CLOSED, LIGHT_PERIOD, GridDriveRules
from trivium.envs.registry import ENVS

NAME = "trivium/GridDrive-v0"
STAY, UP, RIGHT, DOWN, LEFT = range(5)

# A city of three blocks, drawn by hand: S start, G goal, # closed; a digit is a light, and the time
# of the period at which it turns green. A car drives clockwise round the lower left block, from c.
CITY = """
    ###.###
    S.4.G#.
    .#####.
    .......
    ..c.###
    .#.####
    ...####
"""
SIDE = 11  # with the rim


def cell(row: int, column: int) -> int:
    return (row + 2) * SIDE + column + 2


def drawn(car: bool = True) -> GridDriveEnv:
    """The city above as an environment, the driver at S."""
    env = GridDriveEnv(num_blocks=3, num_cars=int(car))
    env.reset(seed=0)
    waits = np.full((1, LIGHT_PERIOD, SIDE * SIDE), CLOSED, dtype=np.uint8)
    for row, line in enumerate(CITY.split()):
        for column, sign in enumerate(line):
            for time in range(LIGHT_PERIOD if sign != "#" else 0):
                wait = 0
                if sign.isdigit() and (time - int(sign)) % LIGHT_PERIOD >= 3:
                    wait = (int(sign) - time) % LIGHT_PERIOD
                waits[0, time, cell(row, column)] = wait
    distances = _street_distances(waits[0, 0] != CLOSED, cell(1, 4))
    ring = [(4, 0), (4, 1), (4, 2), (5, 2), (6, 2), (6, 1), (6, 0), (5, 0)]
    env.cities = replace(
        env.cities,
        waits=waits,
        distances=np.tile(distances, (1, NUM_GOALS, 1)),
        rings=np.array([[[cell(*place) for place in ring]]]),
    )
    env.city, env.goal, env.goal_cell, env.time = 0, 0, cell(1, 4), 0
    env._waits, env._distances = waits[0], distances
    env._rings = env.cities.rings[0].tolist() if car else []
    put(env, 1, 0)
    env._share = 1.0 / env._distance
    env.turns, env.senses = ([3], [1]) if car else ([], [])
    env.cars = [cell(4, 2)] if car else []
    env.next_cars = [cell(5, 2)] if car else []
    return env


def put(env: GridDriveEnv, row: int, column: int) -> None:
    env.cell = cell(row, column)
    env._distance = int(env._distances[env.cell])


def _street_distances(streets: Any, goal: int) -> Any:
    distances = np.full(SIDE * SIDE, FAR, dtype=np.int16)
    distances[goal], frontier = 0, [goal]
    for here in frontier:
        for there in (here - SIDE, here + 1, here + SIDE, here - 1):
            if streets[there] and distances[there] == FAR:
                distances[there] = distances[here] + 1
                frontier.append(there)
    return distances


def test_the_shortest_way_waits_for_the_light_where_that_is_faster() -> None:
    env = drawn()
    # The light two cells on lets cars in at times 4, 5 and 0; it is red at time 1.
    assert [int(env._waits[time, cell(1, 2)]) for time in range(LIGHT_PERIOD)] == [0, 3, 2, 1, 0, 0]
    plan = AStar(env.rules).plan(env)
    assert len(plan) == 7, "one step to the light, three of waiting, three to the goal"
    assert sorted(plan) == [STAY] * 3 + [RIGHT] * 4


def test_a_light_is_entered_when_green_only() -> None:
    env = drawn()
    assert env.step(RIGHT)[1] == pytest.approx(0.25 - 0.01)
    for _ in range(3):
        assert env.step(RIGHT)[1] == pytest.approx(-0.01)
        assert env.cell == cell(1, 1)
    env.step(RIGHT)
    assert env.cell == cell(1, 2)
    env.step(RIGHT)
    _, reward, terminated, truncated, _ = env.step(RIGHT)
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(0.25 - 0.01)


def test_a_closed_street_leaves_the_car_where_it_is() -> None:
    env = drawn()
    _, reward, terminated, *_ = env.step(UP)
    assert (env.cell, reward, terminated) == (cell(1, 0), pytest.approx(-0.01), False)


def test_cars_crash_in_one_cell_or_when_they_change_places_but_may_follow() -> None:
    # The car goes from (4, 2) to (5, 2) in this step.
    for place, action, crashes in (
        ((5, 2), STAY, True),  # it comes
        ((5, 2), UP, True),  # they change places
        ((4, 1), RIGHT, False),  # it has just left the cell
        ((6, 2), UP, True),  # both enter the cell
        ((6, 2), STAY, False),
    ):
        env = drawn()
        put(env, *place)
        _, reward, terminated, *_ = env.step(action)
        assert terminated is crashes, (place, action)
        assert (reward == pytest.approx(-1.01)) is crashes


def test_the_view_shows_streets_lights_cars_and_the_way() -> None:
    env = drawn()
    put(env, 3, 2)
    planes = env._observe()[:100].reshape(4, 5, 5)
    np.testing.assert_array_equal(
        planes[0] == 1.0,
        [
            [False, False, False, False, False],  # (1, 2) is green
            [False, True, True, True, True],
            [False, False, False, False, False],
            [False, False, False, False, True],
            [False, True, False, True, True],
        ],
    )
    assert np.argwhere(planes[1]).tolist() == [[3, 2]]
    assert np.argwhere(planes[2]).tolist() == [[4, 2]]
    # From (3, 2) the goal is 8 cells away; (1, 2) is 2 away, (3, 1) is 7, (3, 3) is 9.
    assert planes[3][0, 2] == 1.0 and planes[3][2, 2] == 0.0 and planes[3][1, 2] == -1.0
    assert (planes[3][2, 1], planes[3][2, 3]) == (0.25, -0.25)
    np.testing.assert_allclose(env._observe()[100:], [-2 / 7, 2 / 7, 8 / 64], rtol=1e-6)


def _reached(env: GridDriveEnv, places: set[int]) -> tuple[set[int], bool]:
    """Where a driver who may be in any of `places` can be after a step, by the env itself."""
    after, arrived = set(), False
    for place in places:
        for action in range(5):
            child = copy.copy(env)  # a step replaces the lists of the env, and changes none
            child.cell, child._distance = place, int(env._distances[place])
            _, reward, terminated, *_ = child.step(action)
            arrived |= terminated and reward > -1.0
            if not terminated:
                after.add(child.cell)
    return after, arrived


@pytest.mark.parametrize("seed", range(6))
def test_no_play_arrives_before_a_star(seed: int) -> None:
    env = GridDriveEnv(num_blocks=5, num_cars=8)
    env.reset(seed=seed)
    steps, places, arrived = len(AStar(env.rules).plan(env)), {env.cell}, False
    for _ in range(steps):
        assert not arrived
        places, arrived = _reached(env, places)
        env.step(STAY)
    assert arrived


def test_the_plan_arrives_with_the_best_return_in_every_city() -> None:
    env = GridDriveEnv()
    steps = []
    for seed in range(100):
        env.reset(seed=seed)
        best, plan, total = best_return(env), AStar(env.rules).plan(env), 0.0
        for action in plan:
            _, reward, terminated, *_ = env.step(action)
            total += reward
        assert terminated and total == pytest.approx(best)
        steps.append(len(plan))
    assert len(set(steps)) > 15 and max(steps) < 60


def test_the_threshold_is_98_percent_of_the_optimum() -> None:
    env = GridDriveEnv()
    best = []
    for seed in range(400):
        env.reset(seed=seed)
        best.append(best_return(env))
    assert 0.98 * np.mean(best) == pytest.approx(ENVS[NAME].reward_threshold, abs=0.01)


def test_following_the_navigator_blindly_crashes() -> None:
    def navigator(env: Any) -> int:
        return int(np.argmin([env._distances[env.cell + move] for move in env._moves]))

    assert returns(NAME, navigator, 50).mean() < 0.5


def test_cities_are_connected_and_ring_roads_do_not_touch() -> None:
    rules = GridDriveRules(street_density=0.0)
    library = cities(rules)
    streets = library.waits.min(axis=1) != CLOSED
    assert ((library.distances != FAR) == streets[:, None]).all()
    assert len(np.unique(streets, axis=0)) == rules.num_cities
    side = rules.board_side
    for rings in library.rings:
        for car, ring in enumerate(rings):
            others = set(np.delete(rings, car, axis=0).ravel().tolist())
            beside = {int(c) + m for c in ring for m in (0, 1, -1, side, -side)}
            assert not others & beside
    ways = np.abs(np.diff(np.concatenate([library.rings, library.rings[..., :1]], axis=-1)))
    assert set(ways.ravel().tolist()) == {1, side}


def test_starts_and_goals_are_off_the_ring_roads() -> None:
    env = GridDriveEnv()
    for seed in range(200):
        env.reset(seed=seed)
        on_ring = {c for ring in env._rings for c in ring}
        assert env.cell not in on_ring and env.goal_cell not in on_ring
        assert env.cell != env.goal_cell


def test_another_city_seed_gives_other_cities() -> None:
    first, second = (cities(GridDriveRules(city_seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first.waits, second.waits)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"num_blocks": 4}, "num_blocks 4: must be an odd number from 3 to 15"),
        ({"num_cars": 16}, "num_cars 16: must be from 0 to 15 with num_blocks 7"),
        ({"street_density": 1.5}, "street_density 1.5: must be from 0 to 1"),
        ({"num_cities": 0}, "num_cities 0: must be from 1 to 1024"),
        ({"city_seed": -1}, "city_seed -1: must be 0 or more"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        GridDriveEnv(**rules)
    assert str(error.value) == message


@pytest.mark.parametrize("rules", [{"num_cars": 0}, {"num_blocks": 3, "num_cars": 3}])
def test_other_sizes_equal_in_a_batch(rules: dict[str, Any]) -> None:
    from trivium.envs.grid_drive.vector import GridDriveVectorEnv

    batch, alone = GridDriveVectorEnv(2, **rules), GridDriveEnv(**rules)
    batch.reset(seed=7)
    alone.reset(seed=8)
    for action in (1, 2, 3, 4, 0) * 4:
        ours, theirs = batch.step(np.array([0, action])), alone.step(action)
        np.testing.assert_array_equal(ours[0][1], theirs[0])
        assert (ours[1][1], ours[2][1]) == theirs[1:3]
        if theirs[2]:
            break
