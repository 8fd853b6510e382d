"""Numbers and categories: one float32 matrix, a category as one column for each of its values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.columns import is_list, value_type
from trivium.datasets.encoders.encoder import Encoder, Gaps, Mask, fixed_width, is_null
from trivium.datasets.row_hash import Hashes, as_floats, combined, hash_numbers, hash_values
from trivium.datasets.settings import Kind
from trivium.datasets.transforms.affine import (
    Affine,
    Floats,
    Statistics,
    Transform,
    identity,
    joined,
)
from trivium.datasets.transforms.impute import Impute
from trivium.datasets.transforms.moments import Moments
from trivium.platform.errors import Mistake

_MOST_CATEGORIES = 1000
_BLOCK = 2048  # rows that are turned from columns into a matrix at once, inside of the cache
_IMPUTE = "add {name: impute} to dataset.transforms, or clean the data"
_PATH = "dataset.inputs"


class DenseEncoder(Encoder):
    """Columns of the matrix: the numbers in the order of the inputs, then the categories."""

    name = "x"

    def __init__(
        self, kinds: Mapping[str, Kind], impute: Impute | None, transforms: list[Transform]
    ) -> None:
        self._numbers = [_Numbers(name) for name, kind in kinds.items() if kind == "number"]
        self._categories = [_Category(name) for name, kind in kinds.items() if kind == "category"]
        self._impute, self._transforms = impute, transforms
        self._affine: Affine | None = None
        self._statistics: Statistics | None = None

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        """Count gaps and infinities."""
        hashes = [
            hash_numbers(column.survey(batch, first_row), column.name) for column in self._numbers
        ]
        hashes += [column.survey(batch, first_row) for column in self._categories]
        return combined(hashes)

    def mistakes(self) -> list[Mistake]:
        """Gaps only where nothing fills them."""
        found = [m for column in self._numbers for m in column.mistakes(self._impute is not None)]
        for column in self._categories:
            found += column.mistakes(self._impute is not None)
        return found

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Count, mean, deviation, least, greatest; the values of the categories."""
        for column in self._numbers:
            column.fit(batch, is_training)
        for category in self._categories:
            category.fit(batch, is_training)

    def finish(self, num_training: int) -> None:
        """Fit the transforms, in their order."""
        affine = identity(self._num_numbers())
        if self._numbers:
            for column in self._numbers:
                column.finish(self._impute, num_training)
            self._statistics = statistics = joined([c.statistics for c in self._numbers])
            for transform in self._transforms:
                step = transform.affine(statistics)
                affine, statistics = affine.then(step), statistics.after(step)
        for category in self._categories:
            category.finish()
        one_hot = identity(sum(len(c.values) for c in self._categories))
        self._affine = Affine(
            np.concatenate([affine.scale, one_hot.scale]),
            np.concatenate([affine.shift, one_hot.shift]),
        )

    def storage(self) -> tuple[np.dtype[Any], int | None]:
        """Float32, a cell for each column of the matrix."""
        return np.dtype(np.float32), len(self._names())

    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """Before the transforms, gaps filled."""
        x = np.zeros((batch.num_rows, len(self._names())), np.float32)
        parts = [column.filled(batch) for column in self._numbers]
        for first in range(0, len(x), _BLOCK):
            start = 0
            for part in parts:
                width = part.shape[1]
                x[first : first + _BLOCK, start : start + width] = part[first : first + _BLOCK]
                start += width
        start = self._num_numbers()
        for column in self._categories:
            codes = column.codes(batch)
            rows = np.flatnonzero(codes >= 0)
            x[rows, start + codes[rows]] = 1
            start += len(column.values)
        return x

    def record(self) -> dict[str, Any]:
        """Names of the matrix' columns, the affine step, the statistics of the numbers."""
        assert self._affine is not None
        record: dict[str, Any] = {
            "kind": "dense",
            "shape": [len(self._names())],
            "columns": self._names(),
            "categories": {c.name: c.names for c in self._categories},
            "scale": self._affine.scale.tolist(),
            "shift": self._affine.shift.tolist(),
        }
        if self._statistics is not None:
            record["statistics"] = {
                key: getattr(self._statistics, key).tolist()
                for key in ("count", "mean", "std", "min", "max")
            }
        return record

    def coarse(self) -> list[str]:
        """Columns whose values are so far from 0 that float32 blurs their differences."""
        if self._statistics is None:
            return []
        s = self._statistics
        far = (s.std > 0) & (np.abs(s.mean) > s.std * 2**20)
        return [name for name, is_far in zip(self._names(), far, strict=False) if is_far]

    def _num_numbers(self) -> int:
        return sum(column.width for column in self._numbers)

    def _names(self) -> list[str]:
        names = [name for column in self._numbers for name in column.names()]
        return names + [f"{c.name}={v}" for c in self._categories for v in c.names]


class _Numbers:
    """A column of numbers, or of lists of `width` numbers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.width = 0  # known from the first row
        self._is_list = False
        self._moments: Moments | None = None
        self._fill: Floats | None = None
        self._missing = Gaps(_PATH, name, "has no number (null or NaN)", _IMPUTE)
        self._infinite = Gaps(_PATH, name, "is infinite", "clean the data")
        self._uneven = Gaps(_PATH, name, "has lists of another length", "make them equally long")

    def names(self) -> list[str]:
        return [f"{self.name}[{i}]" for i in range(self.width)] if self._is_list else [self.name]

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Floats:
        values = batch.column(self.name)
        if not self.width:
            self._is_list = is_list(values.type)
            self.width = _length(values) if self._is_list else 1
        if self._is_list:
            self._uneven.add(fixed_width(values, self.width)[1], first_row)
        cells = self.cells(batch)
        if not np.isfinite(cells).all():
            missing: Mask = np.any(np.isnan(cells), axis=1)
            infinite: Mask = np.any(np.isinf(cells), axis=1)
            self._missing.add(missing, first_row)
            self._infinite.add(infinite, first_row)
        return cells

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        self._moments = self._moments or Moments(self.width)
        self._moments.add(self.cells(batch)[is_training])

    def finish(self, impute: Impute | None, num_training: int) -> None:
        assert self._moments is not None
        if impute is not None:
            self._fill = impute.fill(self._moments.statistics())
            self._moments.fill(self._fill, num_training)

    @property
    def statistics(self) -> Statistics:
        assert self._moments is not None
        return self._moments.statistics()

    def filled(self, batch: pa.RecordBatch) -> Floats:
        cells = self.cells(batch)
        return cells if self._fill is None else np.where(np.isnan(cells), self._fill, cells)

    def cells(self, batch: pa.RecordBatch) -> Floats:
        values = batch.column(self.name)
        if not self._is_list:
            return as_floats(values)[:, None]
        return fixed_width(values, self.width)[0].astype(np.float64)

    def mistakes(self, is_filled: bool) -> list[Mistake]:
        missing = [] if is_filled else self._missing.mistakes()
        return missing + self._infinite.mistakes() + self._uneven.mistakes()


class _Category:
    """A column of a few texts or whole numbers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values = pa.array([])
        self.names: list[str] = []
        self._seen: set[Any] = set()
        self._missing = Gaps(_PATH, name, "has no value (null or empty)", _IMPUTE)

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        values = self._plain(batch)
        self._missing.add(is_null(values), first_row)
        return hash_values(values, self.name)

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        if len(self._seen) <= _MOST_CATEGORIES:
            values = self._plain(batch)
            self._seen.update(values.filter(pa.array(is_training)).unique().to_pylist())
            self.values = self.values.cast(values.type)

    def finish(self) -> None:
        ordered = sorted(value for value in self._seen if value is not None)
        self.values = pa.array(ordered, self.values.type)
        self.names = [str(value) for value in ordered]

    def mistakes(self, is_filled: bool) -> list[Mistake]:
        found = [] if is_filled else self._missing.mistakes()
        if len(self._seen) > _MOST_CATEGORIES:
            found.append(
                Mistake(
                    _PATH,
                    f"column {self.name} has more than {_MOST_CATEGORIES} different values, too "
                    "many for a category; leave it out, or give it as text or id",
                )
            )
        return found

    def codes(self, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Position among the values, -1 for one not seen in training."""
        import pyarrow.compute as pc

        found = pc.index_in(self._plain(batch), value_set=self.values).fill_null(-1)
        codes: npt.NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64)
        return codes

    def _plain(self, batch: pa.RecordBatch) -> pa.Array:
        values = batch.column(self.name)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_integer(value_type(values.type)) or pa.types.is_boolean(values.type):
            return values
        import pyarrow.compute as pc

        values = values.cast(pa.large_string())
        return pc.if_else(pc.equal(values, ""), None, values)


def _length(values: pa.Array) -> int:
    for value in values:
        if value.is_valid:
            return len(value)
    return 1
