"""Whole steps of two copies on a corridor of three states, worked out by hand.

Action 1 goes right (0 -> 1 -> 2), where the episode ends with reward 1; action 0 stays, with
reward -1. Episodes are truncated after two steps.
"""

import numpy as np
import pytest

from trivium.trainers.rl.decay import constant
from trivium.trainers.rl.tabular.envs import Transition
from trivium.trainers.rl.tabular.exploration import EpsilonGreedy, EpsilonGreedySettings
from trivium.trainers.rl.tabular.learner import TabularLearner
from trivium.trainers.rl.tabular.table import QTable


class Corridor:
    def __init__(self, states):
        self.states = np.array(states)
        self._lengths = np.zeros(len(states), int)

    def step(self, actions):
        reached = self.states + actions
        terminated = reached == 2
        self._lengths += 1
        truncated = (self._lengths == 2) & ~terminated
        over = terminated | truncated
        self._lengths[over] = 0
        self.states = np.where(over, 0, reached)
        reward = np.where(terminated, 1.0, np.where(actions == 0, -1.0, 0.0))
        return Transition(reached, reward, terminated, truncated, None)


def learner(rule, values, lr=0.5):
    table = QTable(2 if rule == "double_q_learning" else 1, 3, 2)
    table.values[:] = values
    greedy = EpsilonGreedy(EpsilonGreedySettings(epsilon=constant(0.0)))
    return TabularLearner(rule, table, greedy, np.random.default_rng(0), gamma=0.5, lr=constant(lr))


def test_q_learning_learns_from_a_termination_and_a_step_on_the_way():
    own = learner("q_learning", [[0.0, 2.0], [0.0, 4.0], [9.0, 9.0]])
    errors = own.step(Corridor([0, 1]))
    # Copy 0: target 0 + 0.5 * 4 = 2. Copy 1 terminates: target 1, whatever state 2 is worth.
    assert errors.tolist() == [0.0, -3.0]
    assert own.table.values[0].tolist() == [[0.0, 2.0], [0.0, 2.5], [9.0, 9.0]]
    assert own.env_steps == 2


def test_a_truncated_step_bootstraps_from_the_state_reached():
    own = learner("q_learning", [[3.0, 2.0], [0.0, 4.0], [0.0, 0.0]])
    corridor = Corridor([0])
    own.step(corridor)  # stays: target -1 + 0.5 * 3 = 0.5, so Q(0, stay) = 1.75
    own.step(corridor)  # goes right and is truncated there: target 0 + 0.5 * 4 = 2
    assert own.table.values[0].tolist() == [[1.75, 2.0], [0.0, 4.0], [0.0, 0.0]]
    assert corridor.states.tolist() == [0]


def test_sarsa_takes_next_the_action_it_learned_towards():
    own = learner("sarsa", [[0.0, 2.0], [0.0, 4.0], [0.0, 0.0]])
    corridor = Corridor([0])
    own.step(corridor)
    assert own.table.values[0, 0].tolist() == [0.0, 2.0]  # 0.5 * Q(1, right) = 2
    own.table.values[0, 1] = [9.0, 4.0]  # staying looks best now, but right was chosen before
    own.step(corridor)
    assert own.table.values[0, 1].tolist() == [9.0, 2.5]  # terminated: target 1
    own.step(corridor)  # the first step of the next episode, right from state 0 again
    assert own.table.values[0, 0].tolist() == [0.0, 0.5 * 2 + 0.5 * 0.5 * 9]


def test_expected_sarsa_of_a_greedy_policy_is_q_learning():
    values = [[0.0, 2.0], [1.0, 4.0], [0.0, 0.0]]
    one, two = learner("q_learning", values), learner("expected_sarsa", values)
    for own in (one, two):
        corridor = Corridor([0, 1, 0])
        for _ in range(5):
            own.step(corridor)
    assert one.table.values == pytest.approx(two.table.values)


def test_double_q_learning_updates_one_table_of_each_copy():
    own = learner("double_q_learning", [[[0.0, 2.0], [0.0, 4.0], [0.0, 0.0]]] * 2, lr=1.0)
    own.table.values[1, 1] = [0.0, 8.0]
    own.step(Corridor([0]))
    first, second = own.table.values[:, 0, 1]
    # The first table learns 0.5 * 8 from the second, or the second 0.5 * 4 from the first.
    assert (first, second) in [(4.0, 2.0), (2.0, 2.0)]
    assert own.table.visits.sum() == 1


def test_rows_that_only_reset_a_copy_teach_nothing():
    class Resetting(Corridor):
        def step(self, actions):
            return super().step(actions)._replace(valid=np.array([True, False]))

    own = learner("q_learning", [[0.0, 2.0], [0.0, 4.0], [0.0, 0.0]])
    assert len(own.step(Resetting([1, 1]))) == 1
    assert own.env_steps == 1
    assert own.table.visits.sum() == 1
