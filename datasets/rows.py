"""Picking rows of a column by their place in the file: from memory, or from the disk.

A mapped column is the fastest, but each page that was touched counts as memory of the process,
and a page fault maps up to a megabyte around the cell that was asked for (large folios): after a
few thousand random rows the whole column is resident. Columns too large for that are read, one
call for each row, which takes 0.6 microseconds and leaves nothing in memory.
"""

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from trivium.datasets.mapped_file import MappedFile

MOST_MAPPED = 128 * 2**20
"""Bytes of a column that may become resident."""


class Rows(Protocol):
    """The rows of a column."""

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """The rows at `places` [B] as a new tensor [B, width]."""


def rows_of(cells: npt.NDArray[Any], path: Path, mapped: MappedFile) -> Rows:
    """The rows of `cells` [num_rows, width], a view of the mapped file at `path`."""
    if is_read(cells):
        return StoredRows(cells.shape[1], cells.dtype, path, mapped.offset(cells))
    return MappedRows(cells)


def is_read(cells: npt.NDArray[Any]) -> bool:
    """Whether a column is so large that its rows are read rather than mapped."""
    return cells.nbytes > MOST_MAPPED and hasattr(os, "pread")


class MappedRows:
    """Gathered from the mapped file."""

    def __init__(self, cells: npt.NDArray[Any]) -> None:
        self._cells = torch.from_numpy(cells)

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """One gather."""
        return torch.index_select(self._cells, 0, places)


class StoredRows:
    """Read from the file, row by row."""

    def __init__(self, width: int, dtype: np.dtype[Any], path: Path, offset: int) -> None:
        self._width, self._dtype = width, dtype
        self._cells = StoredCells(dtype, path, offset)

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """One read for each row."""
        lengths = [self._width] * len(places)
        cells = self._cells.take((places.numpy().astype(np.int64) * self._width), lengths)
        return cells.view(len(places), self._width)


class StoredCells:
    """Cells read from the file, piece by piece."""

    def __init__(self, dtype: np.dtype[Any], path: Path, offset: int) -> None:
        self._dtype, self._offset = dtype, offset
        self._file = path.open("rb", buffering=0)

    def take(self, starts: npt.NDArray[np.int64], lengths: list[int]) -> torch.Tensor:
        """The pieces that begin at the cells `starts`, one after the other."""
        if not len(starts):
            return torch.from_numpy(np.zeros(0, self._dtype))
        read, file, size = os.pread, self._file.fileno(), self._dtype.itemsize
        begins = (starts * size + self._offset).tolist()
        pieces = [
            read(file, length * size, begin) for length, begin in zip(lengths, begins, strict=True)
        ]
        return torch.from_numpy(np.frombuffer(bytearray().join(pieces), self._dtype))
