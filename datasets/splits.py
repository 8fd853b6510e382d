"""Which row belongs to which split: from what the row holds, never from where it stands."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trivium.datasets.row_hash import Hashes, mix
from trivium.datasets.settings import SplitSettings
from trivium.platform.errors import Mistake, UserError

if TYPE_CHECKING:
    from trivium.datasets.folds import Fold

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST, UNUSED = range(4)
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Keys:
    """What the split of a row may follow from, [num_rows] each."""

    rows: Hashes  # of the row's inputs
    classes: npt.NDArray[np.int32] | None = None
    groups: Hashes | None = None
    times: npt.NDArray[np.int64] | npt.NDArray[np.float64] | None = None
    own: Codes | None = None  # split that the source itself names


@dataclass(frozen=True)
class Shares:
    """Fractions of the rows that the source leaves open."""

    train: float
    validation: float
    test: float


def assign_splits(
    settings: SplitSettings, keys: Keys, source: str, fold: "Fold | None" = None
) -> Codes:
    """The split of each row: TRAIN, VALIDATION, TEST or UNUSED, [num_rows] uint8.

    Rows stand on a line in the order of their key: the hash of the row or of its group, or the
    time, newest first. Equal keys stay together. The line is cut into test, validation, train and
    unused, so that the test set depends on no other fraction than its own. With `fold`, what is
    left of train and validation is divided as `trivium.datasets.folds` says.

    Raises:
        UserError: a fraction cannot take effect, or a split that should have rows gets none.
    """
    codes = np.zeros(len(keys.rows), np.uint8) if keys.own is None else keys.own.copy()
    shares = _shares(settings, codes, source)
    line, is_open = line_of(settings, keys), slice(None)
    if keys.own is not None:
        is_open = codes == TRAIN
        line = line[is_open]
    if settings.stratify:
        if keys.classes is None:
            raise UserError.at(
                "dataset.split.stratify", "the target is a real number: there are no classes"
            )
        codes[is_open] = _cut_by_class(line, keys.classes[is_open], shares)
    else:
        num_test, num_validation = (round(len(line) * s) for s in (shares.test, shares.validation))
        num_train = _num_train(shares, len(line))
        codes[is_open] = _cut(line, num_test, num_validation, num_train)
    if fold is not None:
        from trivium.datasets.folds import take_fold

        shares = Shares(1.0, 1.0, shares.test)
        codes = take_fold(fold, settings, keys, codes)
    _check_rows(settings, shares, codes, len(line))
    return codes


def _shares(settings: SplitSettings, codes: Codes, source: str) -> Shares:
    asked = {name: getattr(settings, name) for name in SPLITS}
    own = [name for code, name in enumerate(SPLITS) if code != TRAIN and (codes == code).any()]
    mistakes = [
        Mistake(
            f"dataset.split.{name}",
            f"{source} has its own {name} split, so {asked[name]:g} cannot take effect; "
            f"leave {name} out",
        )
        for name in own
        if asked[name] is not None
    ]
    if len(own) == 2 and asked["train"] is None:
        mistakes += [
            Mistake(
                f"dataset.split.{name}",
                f"has no effect: {source} names the split of every row; leave {name} out",
            )
            for name in ("stratify", "group", "time", "seed")
            if getattr(settings, name)
        ]
    if mistakes:
        raise UserError(*mistakes)
    given = [share for share in asked.values() if share is not None]
    missing = [name for name in SPLITS if asked[name] is None and name not in own]
    default = min(0.1, max(1 - sum(given), 0) / max(len(missing), 1))
    validation, test = (
        0.0 if name in own else default if asked[name] is None else asked[name]
        for name in ("validation", "test")
    )
    train = 1 - validation - test if asked["train"] is None else asked["train"]
    return Shares(train, validation, test)


def _num_train(shares: Shares, num_rows: int) -> int:
    """Training rows at most: all that are left, unless the fractions leave some out."""
    everything = shares.train + shares.validation + shares.test > 1 - 1e-9
    return num_rows if everything else round(num_rows * shares.train)


def line_of(settings: SplitSettings, keys: Keys) -> np.ndarray:
    """A key for each row, [num_rows]; the lowest are tested on."""
    if settings.time is not None:
        assert keys.times is not None
        return -keys.times
    hashes = keys.rows if settings.group is None else keys.groups
    assert hashes is not None
    return mix(hashes ^ mix(np.array([settings.seed], np.int64).view(np.uint64)))


def _cut(line: np.ndarray, num_test: int, num_validation: int, num_train: int) -> Codes:
    codes = np.full(len(line), UNUSED, np.uint8)
    for code, count in ((TEST, num_test), (VALIDATION, num_validation), (TRAIN, num_train)):
        left = codes == UNUSED
        codes[left & _lowest(line, left, count)] = code
    return codes


def _lowest(line: np.ndarray, left: Mask, count: int) -> Mask:
    """The `count` lowest keys of those `left`, as near as equal keys allow, but not none."""
    num_left = int(left.sum())
    if count <= 0 or count >= num_left:
        return np.full(len(line), count > 0)
    border = np.partition(line[left], count)[count]
    below: Mask = line < border
    upto: Mask = line <= border
    without, with_border = int((below & left).sum()), int((upto & left).sum())
    nearer = count - without <= with_border - count
    return below if without and nearer else upto


def _cut_by_class(line: np.ndarray, classes: npt.NDArray[np.int32], shares: Shares) -> Codes:
    codes = np.empty(len(line), np.uint8)
    sizes = np.bincount(classes)
    tests = _allot(sizes, shares.test, np.maximum(sizes - 1, 0))
    validations = _allot(sizes, shares.validation, np.maximum(sizes - tests - 1, 0))
    for c, size in enumerate(sizes):
        rows = np.flatnonzero(classes == c)
        num_train = _num_train(shares, int(size))
        codes[rows] = _cut(line[rows], int(tests[c]), int(validations[c]), num_train)
    return codes


def _allot(
    sizes: npt.NDArray[np.int64], share: float, most: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Rows of each class, their sum right: what rounding down leaves goes to the largest rests."""
    exact = sizes * share
    counts: npt.NDArray[np.int64] = np.minimum(np.floor(exact + 1e-9).astype(np.int64), most)
    missing = round(float(sizes.sum()) * share) - int(counts.sum())
    order = np.argsort(counts - exact, kind="stable")
    order = order[counts[order] < most[order]]
    counts[order[: max(missing, 0)]] += 1
    return counts


def _check_rows(settings: SplitSettings, shares: Shares, codes: Codes, num_open: int) -> None:
    mistakes = []
    for code, name in enumerate(SPLITS):
        share = getattr(shares, name)
        if share > 0 and not (codes == code).any():
            hint = "ask for a larger fraction"
            if settings.group is not None:
                hint = f"the groups of {settings.group} are too few or too large"
            elif settings.time is not None:
                hint = f"too many rows have the same {settings.time}"
            mistakes.append(
                Mistake(
                    f"dataset.split.{name}",
                    f"gets no rows: {share:g} of {num_open} rows; {hint}, or write {name}: 0"
                    if name != "train"
                    else f"gets no rows: {share:g} of {num_open} rows; {hint}",
                )
            )
    if mistakes:
        raise UserError(*mistakes)
