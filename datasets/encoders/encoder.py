"""What turns columns of the source into an input of the model; one class for each kind of input."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.row_hash import Hashes
from trivium.platform.errors import Mistake

Mask = npt.NDArray[np.bool_]


class Encoder(ABC):
    """Order of calls: `survey` for each batch, `mistakes`, then `fit` for each batch, `finish`,
    then `encode` for each batch. `survey` and `encode` see all rows; `fit` must learn from those
    in training only.
    """

    name: str  # of the column in the cache

    @abstractmethod
    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        """Look for cells that cannot be used; a hash of what the input holds in each row."""

    @abstractmethod
    def mistakes(self) -> list[Mistake]:
        """What `survey` or `fit` has found."""

    @abstractmethod
    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Learn from the rows where `is_training`."""

    @abstractmethod
    def finish(self, num_training: int) -> None:
        """Settle what has been learned."""

    @abstractmethod
    def storage(self) -> tuple[np.dtype[Any], int | None]:
        """Type of a cell in the cache, and how many a row has: None when that varies."""

    @abstractmethod
    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """The cells of the rows, [n, width]; where the width varies, row after row in one array."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What a reader of the cache needs to know, as JSON: see `trivium.datasets.meta`."""

    def tables(self) -> dict[str, pa.Array]:
        """Lists too long for JSON (words, ids), each to a file of its own."""
        return {}

    def lengths(self) -> npt.NDArray[np.int32]:
        """Cells of each row of the source, where the width varies; known after `finish`."""
        raise NotImplementedError


class Gaps:
    """Counts the cells of a column that cannot be used, and remembers the first."""

    def __init__(self, path: str, column: str, problem: str, advice: str) -> None:
        self._path, self._column, self._problem, self._advice = path, column, problem, advice
        self.count = 0
        self._first = -1

    def add(self, is_bad: Mask, first_row: int) -> None:
        """Count the rows where `is_bad`; row numbers start at 0."""
        if is_bad.any():
            if not self.count:
                self._first = first_row + int(is_bad.argmax())
            self.count += int(is_bad.sum())

    def mistakes(self) -> list[Mistake]:
        """One, when any cell was bad."""
        if not self.count:
            return []
        rows = "row" if self.count == 1 else "rows"
        return [
            Mistake(
                self._path,
                f"column {self._column} {self._problem} in {self.count} {rows} "
                f"(first in row {self._first}, counted from 0); {self._advice}",
            )
        ]


def is_null(values: pa.Array) -> Mask:
    """Where `values` are null, [n]."""
    mask: Mask = values.is_null().to_numpy(zero_copy_only=False)
    return mask


def fixed_width(values: pa.Array, width: int) -> tuple[npt.NDArray[Any], Mask]:
    """Lists as rows [n, width] and where a row is null or of another length, which gives zeros."""
    if pa.types.is_fixed_size_list(values.type):
        bad = is_null(values)
        if values.type.list_size == width and not bad.any():
            return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, width), bad
        values = values.cast(pa.list_(values.type.value_type))
    import pyarrow.compute as pc

    lengths = pc.list_value_length(values).fill_null(-1).to_numpy(zero_copy_only=False)
    bad = lengths != width
    kept = values.filter(pa.array(~bad)).flatten().to_numpy(zero_copy_only=False)
    cells = np.zeros((len(values), width), kept.dtype)
    cells[~bad] = kept.reshape(-1, width)
    return cells, bad
