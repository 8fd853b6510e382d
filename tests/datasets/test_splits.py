"""Splits on rows small enough to check on paper, and their promises on any rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trivium.datasets.row_hash import mix
from trivium.datasets.settings import SplitSettings
from trivium.datasets.splits import TEST, TRAIN, UNUSED, VALIDATION, Keys, assign_splits
from trivium.platform.errors import UserError

hashes = hnp.arrays(np.uint64, st.integers(20, 200), elements=st.integers(0, 2**64 - 1))


def rows(num: int) -> np.ndarray:
    """Hashes of `num` different rows."""
    return mix(np.arange(num, dtype=np.uint64))


def split(keys: Keys, **settings: object) -> np.ndarray:
    return assign_splits(SplitSettings(**settings), keys, "the data")


def sizes(codes: np.ndarray) -> list[int]:
    return np.bincount(codes, minlength=4).tolist()


def test_fractions_are_met_to_the_row():
    assert sizes(split(Keys(rows(1000)))) == [800, 100, 100, 0]
    assert sizes(split(Keys(rows(1000)), train=0.5, validation=0.2, test=0.1)) == [
        500,
        200,
        100,
        200,
    ]
    assert sizes(split(Keys(rows(1000)), train=0.7)) == [700, 100, 100, 100]
    assert sizes(split(Keys(rows(1000)), test=0.3)) == [600, 100, 300, 0]
    assert sizes(split(Keys(rows(1000)), train=0.8, validation=0.2)) == [800, 200, 0, 0]
    assert sizes(split(Keys(rows(1000)), validation=0, test=0)) == [1000, 0, 0, 0]


@given(hashes, st.randoms(use_true_random=False))
def test_a_row_keeps_its_split_when_the_rows_are_shuffled(keys, random):
    order = np.array(random.sample(range(len(keys)), len(keys)))
    classes = (keys % np.uint64(2)).astype(np.int32)
    for settings, shuffled, as_they_are in (
        ({}, Keys(keys[order]), Keys(keys)),
        ({"stratify": True}, Keys(keys[order], classes[order]), Keys(keys, classes)),
        ({"group": "g"}, Keys(keys, groups=keys[order]), Keys(keys, groups=keys)),
    ):
        try:
            expected = split(as_they_are, **settings)
        except UserError:
            continue  # so many equal rows that a split is empty
        assert np.array_equal(split(shuffled, **settings), expected[order])


@given(hnp.arrays(np.uint64, st.integers(30, 100), elements=st.integers(0, 12)))
def test_equal_rows_are_never_in_two_splits(few):
    try:
        codes = split(Keys(mix(few)))
    except UserError:
        return
    for value in np.unique(few):
        assert len(set(codes[few == value])) == 1


def test_the_test_split_depends_on_no_fraction_but_its_own():
    first = split(Keys(rows(500)), train=0.8, validation=0.1, test=0.1)
    second = split(Keys(rows(500)), train=0.3, validation=0.4, test=0.1)
    assert np.array_equal(first == TEST, second == TEST)
    assert sizes(second) == [150, 200, 50, 100]


def test_a_smaller_training_split_is_part_of_a_larger_one():
    small = split(Keys(rows(500)), train=0.1, validation=0.1, test=0.1) == TRAIN
    large = split(Keys(rows(500)), train=0.6, validation=0.1, test=0.1) == TRAIN
    assert (large | ~small).all() and small.sum() == 50 and large.sum() == 300


def test_another_seed_is_another_split():
    assert not np.array_equal(split(Keys(rows(500))), split(Keys(rows(500)), seed=1))


def test_stratify_gives_each_split_its_share_of_each_class():
    classes = np.repeat([0, 1, 2], [700, 250, 50]).astype(np.int32)
    codes = split(Keys(rows(1000), classes), stratify=True)
    counts = [np.bincount(classes[codes == code]).tolist() for code in (TRAIN, VALIDATION, TEST)]
    assert counts == [[560, 200, 40], [70, 25, 5], [70, 25, 5]]


def test_stratify_meets_the_fractions_with_many_small_classes():
    classes = np.repeat(np.arange(100), 4).astype(np.int32)  # a tenth of 4 rounds to 0
    codes = split(Keys(rows(400), classes), stratify=True)
    assert sizes(codes) == [320, 40, 40, 0]
    assert set(classes[codes == TRAIN]) == set(range(100))


def test_stratify_leaves_the_only_row_of_a_class_to_training():
    classes = np.array([0] * 99 + [1], np.int32)
    codes = split(Keys(rows(100), classes), stratify=True, validation=0.3, test=0.3)
    assert codes[99] == TRAIN


def test_a_group_is_in_one_split_and_the_fractions_count_rows():
    groups = np.repeat(mix(np.arange(100, dtype=np.uint64)), 10)
    codes = split(Keys(rows(1000), groups=groups), group="patient")
    assert all(len(set(codes[groups == group])) == 1 for group in np.unique(groups))
    assert sizes(codes) == [800, 100, 100, 0]


def test_the_newest_rows_are_tested_on_and_equal_times_stay_together():
    times = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    codes = split(Keys(rows(10), times=times), time="year", train=0.5, validation=0.2, test=0.2)
    assert codes.tolist() == [TEST] * 2 + [VALIDATION] * 2 + [TRAIN] * 5 + [UNUSED]
    ties = np.array([2020] * 5 + [2021] * 3 + [2022] * 2)
    codes = split(Keys(rows(10), times=ties), time="year")
    assert codes.tolist() == [TRAIN] * 5 + [VALIDATION] * 3 + [TEST] * 2


def test_a_split_of_the_source_is_kept_and_the_rest_is_cut():
    own = np.array([TRAIN] * 80 + [TEST] * 20, np.uint8)
    codes = split(Keys(rows(100), own=own))
    assert sizes(codes) == [72, 8, 20, 0]
    assert (codes[80:] == TEST).all()
    own[:10] = VALIDATION
    assert np.array_equal(split(Keys(rows(100), own=own)), own)


@pytest.mark.parametrize(
    ("settings", "keys", "message"),
    [
        (
            {"test": 0.2},
            Keys(rows(10), own=np.array([TRAIN] * 8 + [TEST] * 2, np.uint8)),
            "dataset.split.test: the data has its own test split, so 0.2 cannot take effect; "
            "leave test out",
        ),
        (
            {"stratify": True},
            Keys(rows(10)),
            "dataset.split.stratify: the target is a real number: there are no classes",
        ),
        (
            {},
            Keys(rows(3)),
            "dataset.split.validation: gets no rows: 0.1 of 3 rows; ask for a larger fraction, "
            "or write validation: 0\n"
            "dataset.split.test: gets no rows: 0.1 of 3 rows; ask for a larger fraction, "
            "or write test: 0",
        ),
        (
            {"group": "city"},
            Keys(rows(100), groups=np.zeros(100, np.uint64)),
            "dataset.split.train: gets no rows: 0.8 of 100 rows; the groups of city are too few "
            "or too large\n"
            "dataset.split.validation: gets no rows: 0.1 of 100 rows; the groups of city are too "
            "few or too large, or write validation: 0",
        ),
    ],
)
def test_a_split_that_cannot_be_says_why(settings, keys, message):
    with pytest.raises(UserError) as error:
        split(keys, **settings)
    assert str(error.value) == message
