"""Stored transitions and n-step returns, worked out by hand."""

import gymnasium as gym
import numpy as np
import pytest

from trivium.trainers.rl.dqn.replay import Replay
from trivium.trainers.rl.environment.spaces import observations_of
from trivium.trainers.rl.environment.vector import Step

SPACE = observations_of(gym.spaces.Box(-100.0, 100.0, (1,)))


def flags(*values):
    return np.array(values, np.bool_)


def add(replay, obs, rewards, next_obs, terminated=None, truncated=None, valid=None):
    none = [False] * len(obs)
    step = Step(
        np.array(next_obs, np.float32)[:, None],
        np.array(rewards, np.float32),
        flags(*(terminated or none)),
        flags(*(truncated or none)),
        flags(*(valid or [True] * len(obs))),
    )
    replay.add(np.array(obs, np.float32)[:, None], np.arange(len(obs)), step.rewards, step)


def at(replay, *rows):
    return replay._at(np.array(rows), None)


def test_one_step_keeps_what_happened():
    replay = Replay(8, 2, SPACE, gamma=0.9)
    add(replay, [1, 2], [10, 20], [3, 4], terminated=[False, True])
    drawn = at(replay, 0, 1)
    assert drawn.obs[:, 0].tolist() == [1, 2]
    assert drawn.actions.tolist() == [0, 1]
    assert drawn.returns.tolist() == [10, 20]
    assert drawn.next_obs[:, 0].tolist() == [3, 4]
    assert drawn.discounts == pytest.approx([0.9, 0])


def test_three_step_returns_stop_at_a_termination_and_bootstrap_at_a_truncation():
    """Copy 0 terminates in its third step, copy 1 is truncated in its second."""
    replay = Replay(20, 2, SPACE, gamma=0.5, n_step=3)
    add(replay, [0, 10], [1, 2], [1, 11])
    add(replay, [1, 11], [4, 8], [2, 12], truncated=[False, True])
    add(replay, [2, 20], [16, 32], [3, 21], terminated=[True, False])
    add(replay, [30, 21], [64, 128], [31, 22])
    # Rows: copy 0 has 0, 2, 4, then 6; copy 1 has 1, 3, then 5, 7.
    drawn = at(replay, 0, 2, 1, 3, 5)
    assert drawn.returns.tolist() == [1 + 2 + 4, 4 + 8, 2 + 4, 8, 32 + 64]
    assert drawn.next_obs[:, 0].tolist() == [3, 3, 12, 12, 22]
    # Terminated: nothing follows. Truncated after m rewards, or no further yet: gamma^m.
    assert drawn.discounts.tolist() == [0, 0, 0.25, 0.5, 0.25]


def test_the_final_observation_of_a_truncated_episode_is_bootstrapped_from():
    replay = Replay(8, 1, SPACE, gamma=0.5)
    add(replay, [1], [1], [99], truncated=[True])  # the environment already stands at 0 again
    add(replay, [0], [1], [1])
    assert at(replay, 0).next_obs.tolist() == [[99]]
    assert at(replay, 0).discounts.tolist() == [0.5]


def test_rows_that_only_reset_a_copy_are_not_stored():
    replay = Replay(8, 2, SPACE, gamma=0.9, n_step=2)
    add(replay, [1, 5], [1, 1], [2, 6], terminated=[True, False])
    add(replay, [2, 6], [0, 2], [0, 7], valid=[False, True])
    add(replay, [0, 7], [4, 8], [1, 8])
    assert replay.size == 5
    # Copy 0's episodes are not linked across its reset; copy 1's are rows 1, 2, 4.
    assert at(replay, 0, 1, 2).returns == pytest.approx([1, 1 + 0.9 * 2, 2 + 0.9 * 8])


def test_the_oldest_give_way_and_links_stay_right():
    replay = Replay(5, 2, SPACE, gamma=1.0, n_step=2)
    for t in range(6):
        add(replay, [t, 100 + t], [t, 100 + t], [t + 1, 101 + t])
    assert replay.size == 5
    drawn = at(replay, *range(5))
    for obs, total, reached in zip(
        drawn.obs[:, 0], drawn.returns, drawn.next_obs[:, 0], strict=True
    ):
        newest = obs in (5, 105)
        assert total == (obs if newest else obs + obs + 1)
        assert reached == (obs + 1 if newest else obs + 2)


def test_an_even_draw_takes_every_row_alike():
    replay = Replay(4, 1, SPACE, gamma=0.9)
    for t in range(4):
        add(replay, [t], [0], [t + 1])
    rows = replay.draw(40_000, np.random.default_rng(0)).rows
    assert np.bincount(rows) / 40_000 == pytest.approx([0.25] * 4, abs=0.01)


def test_priorities_are_powers_of_errors_and_weights_undo_them():
    replay = Replay(4, 1, SPACE, gamma=0.9, alpha=0.5)
    for t in range(4):
        add(replay, [t], [0], [t + 1])
    replay.set_errors(np.arange(4), np.array([1.0, 4.0, 9.0, 16.0]))
    drawn = replay.draw(10_000, np.random.default_rng(0), beta=0.5)
    # Priorities 1, 2, 3, 4 of 10.
    assert np.bincount(drawn.rows) / 10_000 == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.01)
    # Weights (4 p)^-0.5 over the largest, that of row 0: (1 / p_i)^0.5.
    expected = np.array([1.0, 1 / 2, 1 / 3, 1 / 4]) ** 0.5
    assert drawn.weights == pytest.approx(expected[drawn.rows])


def test_new_rows_have_the_largest_priority_seen():
    replay = Replay(4, 1, SPACE, gamma=0.9, alpha=1.0)
    add(replay, [0], [0], [1])
    replay.set_errors(np.array([0]), np.array([7.0]))
    add(replay, [1], [0], [2])
    assert replay._tree[np.array([0, 1])].tolist() == [7.0, 7.0]


@pytest.mark.parametrize("alpha", [None, 0.7])
def test_a_restored_replay_draws_the_same(alpha):
    one, two = (Replay(6, 2, SPACE, gamma=0.9, n_step=2, alpha=alpha) for _ in range(2))
    for t in range(5):
        add(one, [t, 50 + t], [t, t], [t + 1, 51 + t])
        if alpha is not None:
            one.set_errors(np.arange(2), np.array([t + 0.5, t + 1.5]))
    two.set_state(one.get_state())
    for replay in (one, two):
        add(replay, [5, 55], [5, 5], [6, 56])
    a, b = (replay.draw(32, np.random.default_rng(3), 0.4) for replay in (one, two))
    for name, left, right in zip(a._fields, a, b, strict=True):
        assert np.array_equal(left, right), name
