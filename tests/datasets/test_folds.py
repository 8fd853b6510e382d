"""Folds on rows small enough to check on paper, and their promises on any rows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trivium.datasets.folds import Fold
from trivium.datasets.prepare import prepare
from trivium.datasets.row_hash import mix
from trivium.datasets.settings import DatasetSettings, SplitSettings
from trivium.datasets.splits import TEST, TRAIN, UNUSED, VALIDATION, Keys, assign_splits
from trivium.platform.errors import UserError
from trivium.platform.settings import validate

hashes = hnp.arrays(np.uint64, st.integers(20, 200), elements=st.integers(0, 2**64 - 1))


def rows(num: int) -> np.ndarray:
    """Hashes of `num` different rows."""
    return mix(np.arange(num, dtype=np.uint64))


def folds_of(keys: Keys, count: int, **settings: object) -> list[np.ndarray]:
    """The codes of each fold."""
    split = SplitSettings(**settings)
    return [assign_splits(split, keys, "the data", Fold(i, count)) for i in range(count)]


def sizes(codes: np.ndarray) -> list[int]:
    return np.bincount(codes, minlength=4).tolist()


def test_folds_share_all_but_the_test_rows_evenly():
    found = folds_of(Keys(rows(103)), 4, test=0.1)
    assert [sizes(codes) for codes in found] == [
        [69, 24, 10, 0],
        [70, 23, 10, 0],
        [70, 23, 10, 0],
        [70, 23, 10, 0],
    ]


@how(deadline=None)
@given(hashes, st.integers(2, 6))
def test_every_row_but_those_of_test_is_validated_on_once_and_never_trained_on_then(keys, count):
    for settings in ({}, {"train": 0.5, "validation": 0.2, "test": 0.2}, {"group": "g"}):
        whole = Keys(keys, (keys % np.uint64(2)).astype(np.int32), groups=keys % np.uint64(40))
        try:
            found = folds_of(whole, count, **settings)
            plain = assign_splits(SplitSettings(**settings), whole, "the data")
        except UserError:
            continue  # so many equal rows that a fold is empty
        is_open = (plain == TRAIN) | (plain == VALIDATION)
        assert np.array_equal(sum(codes == VALIDATION for codes in found), is_open.astype(int))
        for codes in found:
            assert np.array_equal((codes == TRAIN) | (codes == VALIDATION), is_open)
            assert np.array_equal(codes[~is_open], plain[~is_open])


@how(deadline=None)
@given(hashes, st.randoms(use_true_random=False))
def test_a_row_keeps_its_fold_when_the_rows_are_shuffled(keys, random):
    order = np.array(random.sample(range(len(keys)), len(keys)))
    classes = (keys % np.uint64(3)).astype(np.int32)
    times = (keys % np.uint64(50)).astype(np.int64)
    for settings in ({}, {"group": "g"}, {"time": "t"}):
        try:
            found = folds_of(Keys(keys, classes, keys, times), 3, **settings)
        except UserError:
            continue
        shuffled = Keys(keys[order], classes[order], keys[order], times[order])
        for one, other in zip(found, folds_of(shuffled, 3, **settings), strict=True):
            assert np.array_equal(one[order], other)


def test_each_fold_has_its_share_of_each_class():
    classes = np.repeat(np.array([0, 1, 2], np.int32), [60, 30, 10])
    for codes in folds_of(Keys(rows(100), classes), 5, test=0):
        assert np.bincount(classes[codes == VALIDATION]).tolist() == [12, 6, 2]
    # Three and two rows of a class: the extra ones go where fewer are.
    classes = np.repeat(np.array([0, 1], np.int32), [3, 5])
    validated = [codes == VALIDATION for codes in folds_of(Keys(rows(8), classes), 2, test=0)]
    assert [np.bincount(classes[v]).tolist() for v in validated] == [[2, 2], [1, 3]]


def test_rows_with_the_same_inputs_stay_in_one_fold():
    keys = rows(12)[np.repeat(np.arange(12), 3)]
    for codes in folds_of(Keys(keys), 3, test=0):
        for key in np.unique(keys):
            assert len(np.unique(codes[keys == key])) == 1


def test_a_group_is_in_one_fold_and_folds_are_of_like_size():
    groups = rows(6)[np.repeat(np.arange(6), [6, 4, 3, 2, 2, 1])]
    found = folds_of(Keys(rows(18), groups=groups), 3, test=0, group="patient")
    assert [sizes(codes)[VALIDATION] for codes in found] == [6, 6, 6]
    for codes in found:
        assert not set(groups[codes == VALIDATION]) & set(groups[codes == TRAIN])


def test_by_time_each_fold_is_later_than_what_it_trains_on():
    times = np.array([8, 3, 5, 1, 9, 2, 7, 0, 6, 4])
    first, second = folds_of(Keys(rows(10), times=times), 2, time="day", test=0.1)
    for codes in (first, second):
        assert times[codes == TEST].tolist() == [9]
    assert sorted(times[first == TRAIN]) == [0, 1, 2]
    assert sorted(times[first == VALIDATION]) == [3, 4, 5]
    assert sorted(times[first == UNUSED]) == [6, 7, 8]
    assert sorted(times[second == TRAIN]) == [0, 1, 2, 3, 4, 5]
    assert sorted(times[second == VALIDATION]) == [6, 7, 8]


def test_another_split_seed_makes_other_folds():
    one, other = (folds_of(Keys(rows(50)), 2, test=0, seed=s)[0] for s in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("keys", "settings", "message"),
    [
        (
            Keys(rows(3)[np.arange(9) % 3]),
            {"test": 0},
            "validation.folds: 5 folds need as many different rows outside the test rows, and "
            "there are 3; take fewer folds",
        ),
        (
            Keys(rows(9), groups=rows(2)[np.arange(9) % 2]),
            {"test": 0, "group": "patient"},
            "validation.folds: 5 folds need as many groups of patient outside the test rows, and "
            "there are 2; take fewer folds",
        ),
        (
            Keys(rows(9), times=np.arange(9) % 4),
            {"test": 0, "time": "day"},
            "validation.folds: 5 folds in time need 6 stretches of different day, and too many "
            "rows have the same; take fewer folds",
        ),
    ],
)
def test_too_few_rows_for_the_folds_are_told(keys, settings, message):
    with pytest.raises(UserError) as caught:
        folds_of(keys, 5, **settings)
    assert str(caught.value) == message


@pytest.fixture
def words(tmp_path: Path) -> dict[str, object]:
    """Ten rows by time, each with a word of its own; the newest is tested on."""
    lines = [f"{2000 + i},{i + 1},word{i},{i % 2}\n" for i in range(10)]
    source = tmp_path / "words.csv"
    source.write_text("year,x,text,y\n" + "".join(lines))
    return {"source": str(source), "target": "y", "split": {"time": "year"}}


def test_statistics_and_vocabulary_are_of_the_training_rows_of_the_fold(words, cache):
    numbers = validate(DatasetSettings, words | {"inputs": ["x"]})
    texts = validate(DatasetSettings, words | {"inputs": {"text": "text"}})
    for index, last in ((0, 3), (1, 6)):
        fold = Fold(index, 2)
        statistics = prepare(numbers, fold=fold).state()["inputs"][0]["statistics"]
        assert statistics["mean"] == [(1 + last) / 2] and statistics["max"] == [last]
        known = prepare(texts, fold=fold).vocabulary()[2:]
        assert sorted(known) == [f"word{i}" for i in range(last)]


def test_a_fold_is_a_data_set_of_its_own_and_no_fold_the_one_before(words, cache):
    settings = validate(DatasetSettings, words | {"inputs": ["x"]})
    found = [prepare(settings, fold=fold) for fold in (None, Fold(0, 2), Fold(1, 2), Fold(0, 3))]
    assert len({dataset.fingerprint for dataset in found}) == 4
    assert prepare(settings, fold=Fold(0, 2)).fingerprint == found[1].fingerprint
    assert [d.num_rows("test") for d in found] == [1, 1, 1, 1]
