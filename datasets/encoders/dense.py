"""Numbers and categories: one float32 matrix, a category as one column for each of its values."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.columns import is_list, value_type
from trivium.datasets.encoders.encoder import Encoder, Gaps, Mask, fixed_width, is_null
from trivium.datasets.row_hash import Hashes, as_floats, combined, hash_numbers, hash_values
from trivium.datasets.settings import Kind
from trivium.datasets.transforms.affine import Affine, Floats, Statistics, Transform, identity
from trivium.datasets.transforms.impute import Impute
from trivium.platform.errors import Mistake

_MOST_CATEGORIES = 1000
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
        self._moments: Moments | None = None
        self._fill: Floats | None = None
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
        if self._numbers:
            self._moments = self._moments or Moments(self._num_numbers())
            self._moments.add(self._cells(batch)[is_training])
        for column in self._categories:
            column.fit(batch, is_training)

    def finish(self, num_training: int) -> None:
        """Fit the transforms, in their order."""
        affine = identity(self._num_numbers())
        if self._moments is not None:
            statistics = self._moments.statistics()
            if self._impute is not None:
                self._fill = self._impute.fill(statistics)
                statistics = self._moments.filled(self._fill, num_training)
            self._statistics = statistics
            for transform in self._transforms:
                step = transform.affine(statistics)
                affine, statistics = affine.then(step), statistics.after(step)
        for column in self._categories:
            column.finish()
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
        start = self._num_numbers()
        if self._numbers:
            cells = self._cells(batch)
            if self._fill is not None:
                cells = np.where(np.isnan(cells), self._fill, cells)
            x[:, :start] = cells
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

    def _cells(self, batch: pa.RecordBatch) -> Floats:
        if all(column.width == 1 for column in self._numbers):
            cells = np.empty((batch.num_rows, len(self._numbers)), np.float64)
            for i, column in enumerate(self._numbers):
                cells[:, i] = as_floats(batch.column(column.name))
            return cells
        return np.concatenate([column.cells(batch) for column in self._numbers], axis=1)


class _Numbers:
    """A column of numbers, or of lists of `width` numbers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.width = 0  # known from the first row
        self._is_list = False
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


class Moments:
    """Count, mean, deviation, least and greatest of columns, NaN left out, batch after batch.

    The parts are merged as in Chan, Golub and LeVeque (1979): a sum of squares would lose the
    digits of a column whose mean is far from 0.
    """

    def __init__(self, num_columns: int) -> None:
        self.count = np.zeros(num_columns)
        self.mean = np.zeros(num_columns)
        self.squares = np.zeros(num_columns)  # sum of squared distances from the mean
        self.min = np.full(num_columns, np.inf)
        self.max = np.full(num_columns, -np.inf)

    def add(self, cells: Floats) -> None:
        """Merge the rows of `cells` [n, num_columns]."""
        if not len(cells):
            return
        count: Floats = np.sum(~np.isnan(cells), axis=0, dtype=np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column of gaps only has no mean
            mean: Floats = np.nan_to_num(np.nanmean(cells, axis=0))
            squares: Floats = np.nansum((cells - mean) ** 2, axis=0)
        self._merge(count, mean, squares)
        self.min = np.fmin(self.min, np.fmin.reduce(cells, axis=0))
        self.max = np.fmax(self.max, np.fmax.reduce(cells, axis=0))

    def statistics(self) -> Statistics:
        """Of all rows so far; a column without a number counts as 0."""
        empty = self.count == 0
        return Statistics(
            count=self.count,
            mean=self.mean,
            std=np.sqrt(self.squares / np.maximum(self.count, 1)),
            min=np.where(empty, 0, self.min),
            max=np.where(empty, 0, self.max),
        )

    def filled(self, fill: Floats, num_rows: int) -> Statistics:
        """Of `num_rows` rows, the gaps holding `fill`."""
        gaps = num_rows - self.count
        self._merge(gaps, fill, np.zeros(len(fill)))
        self.min = np.where(gaps > 0, np.minimum(self.min, fill), self.min)
        self.max = np.where(gaps > 0, np.maximum(self.max, fill), self.max)
        return self.statistics()

    def _merge(self, count: Floats, mean: Floats, squares: Floats) -> None:
        total = np.maximum(self.count + count, 1)
        distance = mean - self.mean
        self.squares += squares + distance**2 * self.count * count / total
        self.mean = self.mean + distance * count / total
        self.count = self.count + count


def _length(values: pa.Array) -> int:
    for value in values:
        if value.is_valid:
            return len(value)
    return 1
