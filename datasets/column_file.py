"""The prepared rows: an Arrow IPC file of a single record batch, written in bounded memory.

A single batch has each column in one piece, so that a memory map of the file is a numpy array for
each column. Arrow writes a batch as a whole from memory; here it writes buffers that lie in an
empty mapped file, the sink skips them, and the cells are filled in afterwards, in any order.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from trivium.datasets.mapped_file import MappedFile

_CHUNK = 2**20


@dataclass(frozen=True)
class ColumnSpec:
    """`width` cells in each row, or, when it is None, as many as `ends` tells."""

    dtype: np.dtype[Any]
    width: int | None = 1
    ends: npt.NDArray[np.int64] | None = None  # [num_rows]: cells of all rows up to and with this

    def num_cells(self, num_rows: int) -> int:
        """Of the whole column."""
        if self.ends is None:
            return num_rows * (self.width or 0)
        return int(self.ends[-1]) if num_rows else 0


class ColumnFileWriter:
    """Creates the file in full size, then takes cells for any range of rows."""

    def __init__(self, path: Path, num_rows: int, specs: Mapping[str, ColumnSpec]) -> None:
        self._specs = specs
        empty = _Reserved(path.with_suffix(".reserved"), num_rows, specs)
        with empty as reserved, path.open("wb") as file:
            sink = pa.PythonFile(_SkippingSink(file, reserved), mode="w")
            many = ipc.IpcWriteOptions(allow_64bit=True)  # more than 2^31 cells in a column
            with ipc.new_file(sink, reserved.batch.schema, options=many) as writer:
                writer.write_batch(reserved.batch)
            file.truncate()
        self._offsets = _offsets(path, specs)
        self._file = path.open("r+b")

    def write(self, name: str, first_row: int, cells: npt.NDArray[Any]) -> None:
        """Put `cells` ([n, width], or in a row where the width varies) from `first_row` on."""
        spec = self._specs[name]
        if spec.ends is None:
            skipped = first_row * (spec.width or 0)
        else:
            skipped = int(spec.ends[first_row - 1]) if first_row else 0
        data = np.ascontiguousarray(cells, spec.dtype)
        self._file.seek(self._offsets[name] + skipped * spec.dtype.itemsize)
        self._file.write(data.reshape(-1).view(np.uint8).data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())  # the folder is renamed next: it must not name torn columns
        self._file.close()


@dataclass(frozen=True)
class ReadColumn:
    """`cells` is [num_rows, width], or [num_cells] with the `starts` [num_rows + 1] of the rows."""

    cells: npt.NDArray[Any]
    starts: npt.NDArray[np.int64] | None = None


def read_columns(mapped: MappedFile) -> dict[str, ReadColumn]:
    """The columns as views of the mapped file; nothing is read before it is used."""
    batch = ipc.open_file(mapped.buffer()).get_batch(0)
    return {name: _view(mapped, batch.column(name)) for name in batch.schema.names}


def _view(mapped: MappedFile, column: pa.Array) -> ReadColumn:
    if pa.types.is_fixed_size_list(column.type):
        cells = mapped.array(_numbers(column.values))
        return ReadColumn(cells.reshape(len(column), column.type.list_size))
    if pa.types.is_large_list(column.type):
        starts = mapped.array(_numbers(column.offsets))
        return ReadColumn(mapped.array(_numbers(column.values)), starts)
    return ReadColumn(mapped.array(_numbers(column))[:, None])


def _numbers(array: pa.Array) -> npt.NDArray[Any]:
    # Array.to_numpy would import pandas, which takes a fifth of a second of each start.
    dtype = np.dtype(array.type.to_pandas_dtype())
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


class _Reserved:
    """A batch whose cells lie in an empty file that takes no room on the disk."""

    def __init__(self, path: Path, num_rows: int, specs: Mapping[str, ColumnSpec]) -> None:
        self._path = path
        size = max((s.num_cells(num_rows) * s.dtype.itemsize for s in specs.values()), default=0)
        with path.open("wb") as file:
            file.truncate(max(size, 1))
        mapped = MappedFile(path)
        self._buffer = mapped.buffer()
        columns = {name: self._column(spec, num_rows) for name, spec in specs.items()}
        self.batch = pa.record_batch(columns)

    def holds(self, address: int) -> bool:
        """Whether a buffer at `address` is one of the empty ones."""
        start: int = self._buffer.address
        return start <= address < start + len(self._buffer)

    def _column(self, spec: ColumnSpec, num_rows: int) -> pa.Array:
        num_cells = spec.num_cells(num_rows)
        size = num_cells * spec.dtype.itemsize
        cells = pa.Array.from_buffers(
            pa.from_numpy_dtype(spec.dtype), num_cells, [None, self._buffer.slice(0, size)], 0
        )
        if spec.ends is not None:
            starts = np.concatenate([np.zeros(1, np.int64), spec.ends])
            return pa.LargeListArray.from_arrays(pa.array(starts), cells)
        if spec.width == 1:
            return cells
        return pa.FixedSizeListArray.from_arrays(cells, spec.width)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._path.unlink()


class _SkippingSink:
    """What Arrow writes to: seeks over the reserved buffers instead of writing them."""

    closed = False

    def __init__(self, file: Any, reserved: _Reserved) -> None:
        self._file, self._reserved = file, reserved

    def write(self, data: Any) -> int:
        size = len(data)
        if isinstance(data, pa.Buffer) and size and self._reserved.holds(data.address):
            self._file.seek(size, os.SEEK_CUR)
        else:
            self._file.write(data)
        return size

    def tell(self) -> int:
        position: int = self._file.tell()
        return position

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def _offsets(path: Path, specs: Mapping[str, ColumnSpec]) -> dict[str, int]:
    """Where in the file the cells of each column begin."""
    mapped = MappedFile(path)
    columns = read_columns(mapped)
    return {name: mapped.offset(columns[name].cells) for name in specs}
