"""Ids of users and items: numbered from 1; 0 stands for one that training did not meet."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.datasets.encoders.encoder import Encoder, Gaps, Mask, is_null
from trivium.datasets.row_hash import Hashes, hash_values
from trivium.platform.errors import Mistake


class IdEncoder(Encoder):
    """Whole numbers or texts, as many different ones as there are."""

    def __init__(self, column: str) -> None:
        self.name = f"id.{column}"
        self._column = column
        self._values: pa.Array | None = None
        self._missing = Gaps("dataset.inputs", column, "has no id (null)", "remove these rows")

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        """Look for nulls."""
        values = self._plain(batch)
        self._missing.add(is_null(values), first_row)
        return hash_values(values, self._column)

    def mistakes(self) -> list[Mistake]:
        """Nulls."""
        return self._missing.mistakes()

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Collect the ids of the training rows."""
        found = self._plain(batch).filter(pa.array(is_training)).unique()
        if self._values is not None:
            found = pa.concat_arrays([self._values, found]).unique()
        self._values = found

    def finish(self, num_training: int) -> None:
        """Put them in order, so that the numbers do not follow from the order of the rows."""
        assert self._values is not None
        self._values = self._values.take(pc.array_sort_indices(self._values))

    def storage(self) -> tuple[np.dtype[Any], int | None]:
        """An int64."""
        return np.dtype(np.int64), 1

    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """The numbers, [n, 1]."""
        found = pc.index_in(self._plain(batch), value_set=self._values).fill_null(-1)
        numbers: npt.NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64) + 1
        return numbers[:, None]

    def record(self) -> dict[str, Any]:
        """How many ids there are, the unknown one included."""
        assert self._values is not None
        return {
            "kind": "id",
            "shape": [],
            "columns": [self._column],
            "num_ids": len(self._values) + 1,
        }

    def tables(self) -> dict[str, pa.Array]:
        """The ids in the order of their numbers, from 1 on."""
        assert self._values is not None
        return {self.name: self._values.cast(pa.large_string())}

    def _plain(self, batch: pa.RecordBatch) -> pa.Array:
        values = batch.column(self._column)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        return values
