"""Numbers worked out by hand; copy 0 goes on, copy 1 terminated, copy 2 was truncated."""

import numpy as np
import pytest

from trivium.trainers.rl.tabular import targets

REWARD = np.array([1.0, 1.0, 1.0])
TERMINATED = np.array([False, True, False])  # the truncated copy is not terminated
FOLLOWING = np.array([[2.0, 4.0], [2.0, 4.0], [6.0, -2.0]])


def test_q_learning_takes_the_best_next_action():
    found = targets.q_learning(REWARD, TERMINATED, FOLLOWING, gamma=0.5)
    assert found.tolist() == [1 + 0.5 * 4, 1, 1 + 0.5 * 6]


def test_sarsa_takes_the_chosen_next_action():
    found = targets.sarsa(REWARD, TERMINATED, FOLLOWING, np.array([0, 0, 1]), gamma=0.5)
    assert found.tolist() == [1 + 0.5 * 2, 1, 1 + 0.5 * -2]


def test_expected_sarsa_takes_the_mean_over_the_policy():
    shares = np.array([[0.25, 0.75], [0.5, 0.5], [0.5, 0.5]])
    found = targets.expected_sarsa(REWARD, TERMINATED, FOLLOWING, shares, gamma=0.5)
    assert found == pytest.approx([1 + 0.5 * 3.5, 1, 1 + 0.5 * 2])


def test_double_q_learning_values_the_own_choice_by_the_other_table():
    other = np.array([[10.0, 20.0], [10.0, 20.0], [30.0, 40.0]])
    found = targets.double_q_learning(REWARD, TERMINATED, FOLLOWING, other, gamma=0.5)
    assert found.tolist() == [1 + 0.5 * 20, 1, 1 + 0.5 * 30]
