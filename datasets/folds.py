"""Cross-validation: the rows that a split would train on and validate with, shared out in folds.

Each fold validates on its own share of them and trains on the others. As in a split, a row's place
follows from its content, rows with the same inputs stay together, and the test rows are untouched.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.datasets.settings import SplitSettings
from trivium.datasets.splits import TRAIN, UNUSED, VALIDATION, Codes, Keys, line_of
from trivium.platform.errors import UserError

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One of `count` folds, counted from 0."""

    index: int
    count: int


def take_fold(fold: Fold, settings: SplitSettings, keys: Keys, codes: Codes) -> Codes:
    """`codes` with the rows of TRAIN and VALIDATION divided anew, [num_rows].

    By group, each group is in one fold and the folds are of like size. With classes (and no
    group), each fold has its share of each class. By time, folds follow each other: fold i
    validates on stretch i + 1 of `count` + 1 and trains on all before it; what is later is UNUSED.

    Raises:
        UserError: there are too few rows, groups or times for so many folds.
    """
    is_open = (codes == TRAIN) | (codes == VALIDATION)
    line = line_of(settings, keys)[is_open]
    divided = codes.copy()
    if settings.time is not None:
        stretches = _stretches(-line, fold.count + 1)
        _demand(stretches, fold.count + 1, _too_few_times(settings.time, fold.count))
        later = np.where(stretches > fold.index + 1, UNUSED, TRAIN)
        divided[is_open] = np.where(stretches == fold.index + 1, VALIDATION, later)
        return divided
    if settings.group is None and keys.classes is not None:
        folds = _spread_by_class(line, keys.classes[is_open], fold.count)
    else:
        folds = _spread(line, np.zeros(fold.count, np.int64))
    num_keys = len(np.unique(line))
    _demand(folds, fold.count, _too_few_keys(settings.group, fold.count, num_keys))
    divided[is_open] = np.where(folds == fold.index, VALIDATION, TRAIN)
    return divided


def fold_kind(settings: SplitSettings, has_classes: bool) -> str:
    """How the folds are made, in words."""
    if settings.time is not None:
        return f"each later by {settings.time} than what it trains on"
    if settings.group is not None:
        return f"each group of {settings.group} in one"
    return "each with its share of every class" if has_classes else "of like size"


def _spread(line: npt.NDArray[Any], totals: npt.NDArray[np.int64]) -> Folds:
    """The fold of each row: equal keys in one, the largest first, each into the smallest fold.

    `totals` [num_folds] are rows that the folds have already; of folds alike the emptier is taken.
    """
    _, key_of_row, sizes = np.unique(line, return_inverse=True, return_counts=True)
    heap = [(0, int(total), index) for index, total in enumerate(totals)]
    heapq.heapify(heap)
    fold_of_key = np.empty(len(sizes), np.int64)
    for key in np.argsort(-sizes, kind="stable"):
        size, total, index = heap[0]
        fold_of_key[key] = index
        heapq.heapreplace(heap, (size + int(sizes[key]), total, index))
    folds: Folds = fold_of_key[key_of_row]
    return folds


def _spread_by_class(
    line: npt.NDArray[Any], classes: npt.NDArray[np.int32], num_folds: int
) -> Folds:
    folds = np.empty(len(line), np.int64)
    totals = np.zeros(num_folds, np.int64)
    for one in np.unique(classes):
        rows = np.flatnonzero(classes == one)
        folds[rows] = _spread(line[rows], totals)
        totals += np.bincount(folds[rows], minlength=num_folds)
    return folds


def _stretches(times: npt.NDArray[Any], count: int) -> Folds:
    """The stretch of each row, the oldest 0; equal times stay together."""
    _, time_of_row, sizes = np.unique(times, return_inverse=True, return_counts=True)
    middles = np.cumsum(sizes) - sizes / 2
    stretch_of_time = (middles * count / len(times)).astype(np.int64)
    stretches: Folds = stretch_of_time[time_of_row]
    return stretches


def _demand(folds: Folds, count: int, message: str) -> None:
    if len(np.unique(folds)) < count:
        raise UserError.at("validation.folds", message)


def _too_few_keys(group: str | None, num_folds: int, num_keys: int) -> str:
    of = "different rows" if group is None else f"groups of {group}"
    return (
        f"{num_folds} folds need as many {of} outside the test rows, and there are {num_keys}; "
        "take fewer folds"
    )


def _too_few_times(time: str, num_folds: int) -> str:
    return (
        f"{num_folds} folds in time need {num_folds + 1} stretches of different {time}, and too "
        "many rows have the same; take fewer folds"
    )
