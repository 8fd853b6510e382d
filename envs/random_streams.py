"""Random numbers that a single environment and a batch of copies compute equally.

A number is a hash of (seed, episode, step, position), so that nothing but counters is kept: a
batch of copies needs no loop over generators, and copy i of a batch that was reset with `seed`
draws what the single environment draws after `reset(seed=seed + i)`. The hash is the finaliser of
splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).

Numbers come as 16-bit words: one word indexes a quantile table of `NUM_WORDS` entries, which
makes every distribution a look-up of integers, equal to the last bit in both versions, and its
probabilities exact multiples of 1 / `NUM_WORDS` for value iteration.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NUM_WORDS = 1 << 16
"""How many values a word takes."""

Keys = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint16]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_RESET = np.uint64(0xD1B54A32D192ED03)  # keeps the words of reset apart from those of the steps
_MASK = (1 << 64) - 1


def stream_keys(seeds: Sequence[int]) -> Keys:
    """One key per seed `[B]`; equal seeds give equal streams."""
    return _mix(np.array([seed & _MASK for seed in seeds], dtype=np.uint64) * _GOLDEN)


def episode_keys(streams: Keys, episodes: npt.NDArray[np.uint64]) -> Keys:
    """The keys `[B]` of the episodes with these numbers in their streams."""
    return _mix(streams + (episodes + np.uint64(1)) * _GOLDEN)


def step_words(keys: Keys, steps: npt.NDArray[np.uint64], num_words: int) -> Words:
    """At least `num_words` words `[W, B]` of the steps with these numbers, counted from 0."""
    num_hashes = -(-num_words // 4)
    positions = np.arange(1, num_hashes + 1, dtype=np.uint64)[:, None]
    counters = steps * np.uint64(num_hashes) + positions
    bits = _mix(counters * _GOLDEN + keys)
    words = bits.view(np.uint16).reshape(num_hashes, bits.shape[1], 4)
    return words.transpose(0, 2, 1).reshape(num_hashes * 4, bits.shape[1])


def reset_words(keys: Keys, num_words: int) -> Words:
    """At least `num_words` words `[W, B]` for the starting states."""
    return step_words(keys ^ _RESET, np.zeros(1, dtype=np.uint64), num_words)


def quantile_table(probabilities: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Outcome of each word `[NUM_WORDS]`, for the outcomes 0, 1, ... with these probabilities."""
    cumulative = np.cumsum(np.asarray(probabilities, dtype=np.float64))
    middles = (np.arange(NUM_WORDS) + 0.5) / NUM_WORDS
    outcomes = np.searchsorted(cumulative / cumulative[-1], middles)
    return outcomes.astype(np.uint8)


def table_probabilities(table: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The exact probability of each outcome of a quantile table."""
    return np.bincount(table) / NUM_WORDS


def _mix(bits: Keys) -> Keys:
    """The finaliser of splitmix64, in place."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits
