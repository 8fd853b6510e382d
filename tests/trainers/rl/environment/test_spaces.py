import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array

from trivium.trainers.rl.environment.spaces import actions_of, observations_of


def test_a_choice_is_stored_from_zero_and_read_as_one_hot() -> None:
    stored = observations_of(spaces.Discrete(3, start=5))
    assert stored.to_arrays(np.array([5, 7]), 2).tolist() == [0, 2]
    assert stored.feature_shape == (3,)


def test_an_image_stays_bytes_and_is_read_channels_first() -> None:
    stored = observations_of(spaces.Box(0, 255, (8, 6, 3), np.uint8))
    assert (stored.dtype, stored.shape, stored.feature_shape) == (np.uint8, (8, 6, 3), (3, 8, 6))


def test_a_dict_is_one_vector_in_the_order_of_its_keys() -> None:
    space = spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(-1, 1, (2,), np.float32)})
    stored = observations_of(space)
    samples = [{"a": np.float32([0.5, -0.5]), "b": 1}, {"a": np.float32([0, 1]), "b": 0}]
    batch = concatenate(space, samples, create_empty_array(space, 2))
    order = list(space.spaces)
    rows = {"a": [[0.5, -0.5], [0, 1]], "b": [[0, 1], [1, 0]]}
    expected = np.concatenate([rows[key] for key in order], 1)
    assert np.array_equal(stored.to_arrays(batch, 2), expected)
    assert np.array_equal(stored.one(samples[0]), expected[0])


def test_a_space_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        observations_of(spaces.Sequence(spaces.Discrete(2)))
    assert str(error.value) == (
        "Sequence(Discrete(2), stack=False) has no fixed size; give Box, Discrete, MultiDiscrete "
        "or a Dict"
    )


def test_actions_go_back_to_where_their_space_counts_from() -> None:
    assert actions_of(spaces.Discrete(2, start=3)).to_env(np.array([0, 1])).tolist() == [3, 4]


def test_actions_of_whole_number_boxes_are_refused() -> None:
    with pytest.raises(ValueError) as error:
        actions_of(spaces.Box(0, 3, (1,), np.int64))
    assert str(error.value) == (
        "Box(0, 3, (1,), int64) cannot be acted in; give Discrete, MultiDiscrete or a Box of floats"
    )
