"""A file seen as memory, whose pages can be handed back so that they do not count as ours."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class MappedFile:
    """Private to the process: a write to a view changes neither the file nor other processes."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as f:
            self._mapping = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)

    def __len__(self) -> int:
        return len(self._mapping)

    def buffer(self) -> pa.Buffer:
        """The bytes of the file, without a copy; valid as long as any view of it lives."""
        return pa.py_buffer(self._mapping)

    def offset(self, view: npt.NDArray[Any]) -> int:
        """Where in the file `view` begins."""
        address: int = view.__array_interface__["data"][0]
        return address - int(self.buffer().address)

    def array(self, view: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same cells as `view`, which Arrow marks as read-only and torch would complain of."""
        if not view.size:
            return np.empty(view.shape, view.dtype)
        return np.frombuffer(self._mapping, view.dtype, view.size, self.offset(view))

    def release(self) -> None:
        """Drop the pages that were touched from resident memory; a later touch maps them again."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which trims by itself
            self._mapping.madvise(mmap.MADV_DONTNEED)
