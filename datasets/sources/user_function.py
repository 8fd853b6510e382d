"""A function of the user's that gives the rows: `file.py:function` or `package.module:function`."""

import hashlib
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from trivium.datasets.source import Description, Source, table_batches
from trivium.platform.errors import UserError

_GIVES = "a pyarrow Table, a pandas DataFrame, a dict of arrays, or an iterator of record batches"


class FunctionSource(Source):
    """The rows that a function gives.

    What it reads cannot be known, so it is called on every run and its rows are hashed: that is
    the identity. A table is called for once; an iterator once for each pass over the rows, and
    has to give the same rows each time.
    """

    def __init__(self, name: str, function: Callable[[], Any]) -> None:
        self.name = name
        self.description = Description()
        self._function = function
        self._table: pa.Table | None = None
        self._schema: pa.Schema | None = None
        self._identity = ""

    def identity(self) -> str:
        """Hash of the rows."""
        for _ in self._rows():
            pass
        return f"function:{self._identity}"

    def schema(self) -> pa.Schema:
        """Of the first batch; `identity` has been called before."""
        assert self._schema is not None
        return self._schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows again.

        Raises:
            UserError: they differ from those of the first time.
        """
        before = self._identity
        for batch in self._rows():
            yield batch.select(list(columns))
        if self._identity != before:
            raise self._error("gives other rows each time that it is called; seed what is random")

    def _rows(self) -> Iterator[pa.RecordBatch]:
        digest = hashlib.blake2b(digest_size=16)
        for batch in self._called():
            if self._schema is None:
                self._schema = batch.schema
            if not batch.schema.equals(self._schema):
                raise self._error(
                    f"gives batches of different columns: {_columns(self._schema)}, "
                    f"then {_columns(batch.schema)}"
                )
            digest.update(_plain(batch).serialize())
            yield batch
        if self._schema is None:
            raise self._error(f"gives no rows; it should give {_GIVES}")
        digest.update(self._schema.serialize())
        self._identity = digest.hexdigest()

    def _called(self) -> Iterator[pa.RecordBatch]:
        if self._table is not None:
            return table_batches(self._table)
        try:
            given = self._function()
        except Exception as error:
            raise self._failed(error) from error
        if isinstance(given, Mapping):
            given = self._from_arrays(given)
        elif hasattr(given, "columns") and hasattr(given, "iloc"):
            given = pa.Table.from_pandas(given, preserve_index=False)
        if isinstance(given, pa.RecordBatch):
            given = pa.Table.from_batches([given])
        if isinstance(given, pa.Table):
            self._table = given.replace_schema_metadata(None)
            return table_batches(self._table)
        if isinstance(given, Iterable) and not isinstance(given, str | bytes):
            return self._checked(given)
        raise self._error(f"gives {type(given).__name__}; it should give {_GIVES}")

    def _checked(self, given: Iterable[Any]) -> Iterator[pa.RecordBatch]:
        iterator = iter(given)
        while True:
            try:
                batch = next(iterator)
            except StopIteration:
                return
            except Exception as error:
                raise self._failed(error) from error
            if not isinstance(batch, pa.RecordBatch):
                raise self._error(f"yields {type(batch).__name__}; it should yield record batches")
            yield batch

    def _from_arrays(self, arrays: Mapping[str, Any]) -> pa.Table:
        columns: dict[str, Any] = {}
        shape = None
        lengths = {name: len(values) for name, values in arrays.items()}
        if len(set(lengths.values())) > 1:
            parts = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise self._error(f"gives columns of different lengths: {parts}")
        for name, values in arrays.items():
            cells = np.asarray(values)
            if cells.dtype == np.uint8 and cells.ndim in (3, 4):
                cells = _channels_first(cells)
                shape = (cells.shape[1], cells.shape[2], cells.shape[3])
            columns[name] = _column(cells)
        if shape is not None:
            self.description = Description(image_shape=shape)
        return pa.table(columns)

    def _failed(self, error: Exception) -> UserError:
        frames = traceback.extract_tb(error.__traceback__)
        own = inspect.getsourcefile(self._function)
        lines = [frame.lineno for frame in frames if frame.filename == own]
        place = f" in line {lines[-1]}" if lines else ""
        return self._error(f"fails{place}: {type(error).__name__}: {error}")

    def _error(self, message: str) -> UserError:
        return UserError.at("dataset.source", f"{self.name} {message}")


def _column(cells: np.ndarray) -> pa.Array:
    if cells.ndim < 2:
        return pa.array(cells)
    flat = np.ascontiguousarray(cells).reshape(len(cells), -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3:
        return pixels[:, None]
    return pixels if pixels.shape[1] in (1, 3) else pixels.transpose(0, 3, 1, 2)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without dictionaries, which a serialized batch leaves out."""
    names = batch.schema.names
    columns = [
        c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{f.name} ({f.type})" for f in schema)
