import numpy as np
import pytest
from gymnasium import spaces

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment.spaces import observations_of
from trivium.trainers.rl.tabular.states import States, count_actions


def test_discrete_observations_count_from_the_start_of_their_space():
    space = spaces.Discrete(5, start=3)
    stored = observations_of(space).to_arrays(np.array([3, 7]), 2)
    assert States(space).index(stored).tolist() == [0, 4]
    assert States(space).parts(4) == (7,)


def test_the_last_part_of_a_multi_discrete_counts_fastest():
    space = spaces.MultiDiscrete([3, 4])
    stored = observations_of(space).to_arrays(np.array([[0, 3], [2, 1]]), 2)
    assert States(space).index(stored).tolist() == [3, 9]
    assert States(space).parts(9) == (2, 1)


def test_bits_are_a_binary_number():
    space = spaces.MultiBinary(3)
    stored = observations_of(space).to_arrays(np.array([[1, 0, 1]]), 1)
    assert States(space).index(stored).tolist() == [5]


def test_a_tuple_of_discretes_is_numbered_like_a_multi_discrete():
    space = spaces.Tuple((spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)))
    batch = (np.array([20, 31]), np.array([10, 0]), np.array([1, 0]))
    stored = observations_of(space).to_arrays(batch, 2)
    states = States(space)
    assert states.index(stored).tolist() == [(20 * 11 + 10) * 2 + 1, 31 * 22]
    assert states.num_states == 704
    assert states.parts(461) == (20, 10, 1)


def test_a_box_cannot_be_counted():
    space = spaces.Box(-1.0, 1.0, (4,))
    with pytest.raises(UserError) as error:
        States(space, "CartPole-v1")
    assert str(error.value) == (
        "env.id: CartPole-v1 observes Box(-1.0, 1.0, (4,), float32), and a table needs Discrete, "
        "MultiDiscrete, MultiBinary, or a Tuple or Dict of Discrete: use dqn, which takes any "
        "observation"
    )


def test_continuous_actions_have_no_columns():
    with pytest.raises(UserError) as error:
        count_actions(spaces.Box(-1.0, 1.0, (1,)), 4, "Pendulum-v1")
    assert str(error.value) == (
        "env.id: Pendulum-v1 acts by Box(-1.0, 1.0, (1,), float32), and a table needs Discrete "
        "actions: use ppo"
    )


def test_a_table_too_large_for_memory_is_refused_with_its_size():
    with pytest.raises(UserError) as error:
        count_actions(spaces.Discrete(4), 20_000_000, "Big-v0")
    assert str(error.value) == (
        "env.id: Big-v0 has 20,000,000 states and 4 actions, a table of 80,000,000 entries where "
        "50,000,000 are allowed: use dqn"
    )
