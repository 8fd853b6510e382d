"""Columns that a split follows: the time of a row, or the split that the data itself names."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.columns import is_text
from trivium.datasets.encoders.encoder import Gaps, is_null
from trivium.datasets.row_hash import as_floats
from trivium.datasets.splits import TEST, TRAIN, VALIDATION, Codes
from trivium.platform.errors import UserError

_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}


def own_splits(values: pa.Array, column: str, first_row: int) -> Codes:
    """The codes of a column that says train, validation or test, [n]."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    encoded = values.cast(pa.large_string()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.array([_NAMES.get(str(n).strip().lower(), len(_NAMES)) for n in names], np.uint8)
    found = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    if not len(found):
        return np.zeros(0, np.uint8)
    bad = (found < 0) | (np.append(codes, len(_NAMES))[found] == len(_NAMES))
    if bad.any():
        row = int(bad.argmax())
        raise UserError.at(
            "dataset.split.column",
            f"{column} is {values[row].as_py()!r} in row {first_row + row} (counted from 0); "
            "it must be train, validation or test in every row",
        )
    chosen: Codes = codes[found]
    return chosen


def times(values: pa.Array, column: str, first_row: int) -> npt.NDArray[Any]:
    """Times as numbers that grow, [n]: int64 for times, dates and whole numbers, else float64."""
    try:
        if is_text(values.type) or pa.types.is_date(values.type):
            values = values.cast(pa.timestamp("us"))
        if pa.types.is_temporal(values.type) or pa.types.is_integer(values.type):
            numbers = values.cast(pa.int64())
            ticks: npt.NDArray[Any] = numbers.fill_null(0).to_numpy(zero_copy_only=False)
        else:
            ticks = as_floats(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError.at(
            "dataset.split.time",
            f"column {column} holds more than times (it begins with {values[0].as_py()!r}); "
            "numbers, dates and texts such as 2024-12-31 10:00:00 are times",
        ) from None
    missing = Gaps("dataset.split.time", column, "has no time (null or NaN)", "fill these rows")
    missing.add(is_null(values) | np.isnan(ticks), first_row)
    if mistakes := missing.mistakes():
        raise UserError(*mistakes)
    return ticks
