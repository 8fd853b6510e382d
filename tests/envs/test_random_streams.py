import numpy as np

from trivium.envs.random_streams import (
    NUM_WORDS,
    episode_keys,
    quantile_table,
    reset_words,
    step_words,
    stream_keys,
    table_probabilities,
)


def steps(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


def test_words_are_the_published_numbers_of_splitmix64() -> None:
    # The first output of splitmix64 seeded with 0 is 0xE220A8397B1DCDAF, the second
    # 0x6E789E6AA1B965F4 (Vigna's reference implementation).
    words = step_words(steps(0), steps(0), 8)[:, 0].tolist()
    assert words[:4] == [0xCDAF, 0x7B1D, 0xA839, 0xE220]
    assert words[4:] == [0x65F4, 0xA1B9, 0x9E6A, 0x6E78]


def test_a_copy_draws_the_same_alone_and_in_a_batch() -> None:
    keys = episode_keys(stream_keys([3, 4, 5]), steps(0, 7, 2))
    alone = episode_keys(stream_keys([4]), steps(7))
    np.testing.assert_array_equal(
        step_words(keys, steps(9, 1, 0), 6)[:, 1:2], step_words(alone, steps(1), 6)
    )
    np.testing.assert_array_equal(reset_words(keys, 6)[:, 1:2], reset_words(alone, 6))


def test_a_block_of_steps_holds_the_words_of_each_step() -> None:
    key = stream_keys([1])
    block = step_words(key, steps(0, 1, 2), 5)
    for step in range(3):
        np.testing.assert_array_equal(block[:, step : step + 1], step_words(key, steps(step), 5))


def test_seeds_episodes_steps_and_starts_all_differ() -> None:
    keys = [episode_keys(stream_keys([seed]), steps(n)) for seed in range(12) for n in range(12)]
    drawn = [step_words(key, steps(t), 4).tobytes() for key in keys for t in range(12)]
    drawn += [reset_words(key, 4).tobytes() for key in keys]
    assert len(set(drawn)) == len(drawn)


def test_large_and_equal_seeds_are_taken_as_they_are() -> None:
    keys = stream_keys([2**64 - 1, 2**63, 5, 5])
    assert len(set(keys.tolist())) == 3


def test_words_are_uniform() -> None:
    words = step_words(stream_keys(range(1000)), steps(*range(1000)), 100).ravel()
    counts = np.bincount(words >> 8, minlength=256)  # expectation 390.625, deviation 19.7
    assert abs(words.mean() - 32767.5) < 4 * 65536 / np.sqrt(12 * words.size)
    assert counts.min() > 300 and counts.max() < 480


def test_a_quantile_table_has_its_probabilities() -> None:
    table = quantile_table([0.25, 0.0, 0.75])
    assert table.shape == (NUM_WORDS,)
    assert table_probabilities(table).tolist() == [0.25, 0.0, 0.75]
    assert table[0] == 0 and table[-1] == 2
