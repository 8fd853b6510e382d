"""The tree against running sums over a plain array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.trainers.rl.dqn.sum_tree import SumTree


def brute_force(priorities, masses):
    """The first place whose running sum exceeds the mass."""
    sums = np.cumsum(priorities)
    return np.array([int(np.argmax(sums > mass)) for mass in masses])


def test_by_hand():
    tree = SumTree(4)
    tree.update(np.array([0, 1, 2, 3]), np.array([1.0, 0.0, 3.0, 2.0]))
    assert tree.total == 6.0
    # Running sums: 1, 1, 4, 6.
    assert tree.find(np.array([0.0, 0.9, 1.0, 3.9, 4.0, 5.9])).tolist() == [0, 0, 2, 2, 3, 3]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(0, 10**6))
def test_it_finds_what_running_sums_find(capacity, seed):
    rng = np.random.default_rng(seed)
    tree, plain = SumTree(capacity), np.zeros(capacity)
    for _ in range(5):
        places = rng.integers(capacity, size=rng.integers(1, 2 * capacity + 1))
        numbers = rng.integers(0, 8, size=len(places)).astype(float)  # sums stay exact
        tree.update(places, numbers)
        for place, number in zip(places, numbers, strict=True):
            plain[place] = number
        assert tree.total == plain.sum()
        assert tree.priorities.tolist() == plain.tolist()
        if tree.total:
            masses = rng.random(50) * tree.total
            assert tree.find(masses).tolist() == brute_force(plain, masses).tolist()


def test_an_empty_place_is_never_found_even_where_rounding_asks_for_too_much():
    tree = SumTree(5)
    tree.update(np.arange(3), np.array([0.1, 0.2, 0.3]))
    assert tree.find(np.array([tree.total, tree.total * (1 + 1e-12)])).tolist() == [2, 2]


def test_draws_follow_the_priorities():
    tree = SumTree(3)
    tree.update(np.arange(3), np.array([1.0, 2.0, 7.0]))
    found = tree.find(np.random.default_rng(0).random(50_000) * tree.total)
    assert np.bincount(found) / 50_000 == pytest.approx([0.1, 0.2, 0.7], abs=0.01)


def test_rebuilding_gives_the_tree_that_updates_gave():
    rng = np.random.default_rng(1)
    one, two = SumTree(37), SumTree(37)
    one.update(rng.permutation(37), rng.random(37))
    two.rebuild(one.priorities)
    masses = rng.random(100) * one.total
    assert (one.total, one.find(masses).tolist()) == (two.total, two.find(masses).tolist())
