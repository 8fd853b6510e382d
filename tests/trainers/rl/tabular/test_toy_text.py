"""The compiled simulator against the environments it stands for."""

import gymnasium as gym
import numpy as np
import pytest

from trivium.trainers.rl.tabular.toy_text import ToyText, dynamics_of

ENVIRONMENTS = [
    ("FrozenLake-v1", {}),
    ("FrozenLake8x8-v1", {"success_rate": 0.7}),
    ("FrozenLake-v1", {"is_slippery": False}),
    ("CliffWalking-v1", {}),
    ("CliffWalkingSlippery-v1", {}),
    ("Taxi-v3", {}),
    ("Taxi-v3", {"is_rainy": True}),
]


@pytest.mark.parametrize(("env_id", "kwargs"), ENVIRONMENTS)
def test_every_outcome_has_the_probability_of_the_environment(env_id, kwargs):
    env = gym.make(env_id, **kwargs)
    dynamics = dynamics_of(env)
    shares = np.diff(dynamics.cumulative, axis=2, prepend=0.0)
    for state, by_action in env.unwrapped.P.items():
        for action, outcomes in by_action.items():
            expected: dict[tuple[int, float, bool], float] = {}
            for probability, reached, reward, ends in outcomes:
                key = (int(reached), float(reward), bool(ends))
                expected[key] = expected.get(key, 0.0) + probability
            found: dict[tuple[int, float, bool], float] = {}
            for k in range(shares.shape[2]):
                at = (state, action, k)
                key = (
                    int(dynamics.next_state[at]),
                    float(dynamics.reward[at]),
                    bool(dynamics.terminated[at]),
                )
                found[key] = found.get(key, 0.0) + shares[at]
            assert {k: p for k, p in found.items() if p > 1e-12} == pytest.approx(expected)


@pytest.mark.parametrize(("env_id", "kwargs"), ENVIRONMENTS)
def test_sampled_steps_are_possible_in_the_environment_and_as_frequent(env_id, kwargs):
    env = gym.make(env_id, **kwargs)
    copies = ToyText(dynamics_of(env), 3000, 50, seed=1)
    rng = np.random.default_rng(2)
    num_actions = env.action_space.n
    slips = 0
    for _ in range(20):
        before = copies.states
        actions = rng.integers(num_actions, size=3000)
        step = copies.step(actions)
        for row in range(0, 3000, 10):
            outcomes = env.unwrapped.P[int(before[row])][int(actions[row])]
            seen = (int(step.reached[row]), float(step.reward[row]), bool(step.terminated[row]))
            possible = [(int(s), float(r), bool(t)) for p, s, r, t in outcomes if p > 0]
            assert seen in possible
            slips += seen != possible[0]
    assert (slips > 0) == (dynamics_of(env).next_state.shape[2] > 1)


def test_the_frequencies_of_a_slippery_step_are_thirds():
    env = gym.make("FrozenLake-v1")
    copies = ToyText(dynamics_of(env), 30_000, 100, seed=0)
    step = copies.step(np.full(30_000, 2))  # right from the start: down, right or bump into the top
    shares = np.bincount(step.reached, minlength=5)[[0, 1, 4]] / 30_000
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.01)


def test_a_time_limit_truncates_and_starts_the_next_episode_in_the_same_step():
    copies = ToyText(dynamics_of(gym.make("CliffWalking-v1")), 2, 3, seed=0)
    for number in range(1, 4):
        step = copies.step(np.array([0, 3]))  # up, and left against the wall
        assert step.truncated.tolist() == [number == 3] * 2
    assert step.reached.tolist() == [0, 36]
    assert copies.states.tolist() == [36, 36]
    assert [tuple(e) for e in copies.take_episodes()] == [(-3.0, 3, None)] * 2
    assert copies.take_episodes() == []


def test_reaching_the_goal_on_the_last_allowed_step_terminates_and_does_not_truncate():
    copies = ToyText(dynamics_of(gym.make("CliffWalking-v1")), 1, 13, seed=0)
    for action in [0] + [1] * 11 + [2]:
        step = copies.step(np.array([action]))
    assert (bool(step.terminated[0]), bool(step.truncated[0])) == (True, False)
    assert [tuple(e) for e in copies.take_episodes()] == [(-13.0, 13, None)]


def test_first_states_follow_the_initial_distribution():
    env = gym.make("Taxi-v3")
    first = ToyText(dynamics_of(env), 30_000, 200, seed=0).states
    shares = np.bincount(first, minlength=500) / 30_000
    assert shares == pytest.approx(env.unwrapped.initial_state_distrib, abs=0.002)


def test_what_the_table_does_not_wholly_describe_is_not_compiled():
    assert dynamics_of(gym.make("Taxi-v3", fickle_passenger=True)) is None
    assert dynamics_of(gym.make("Blackjack-v1")) is None
    assert dynamics_of(gym.make("CartPole-v1")) is None
