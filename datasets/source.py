"""What a source of rows is to the rest of the room: record batches that can be read again."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from trivium.datasets.cache import content_hash
from trivium.datasets.settings import Kind, Tokens


@dataclass(frozen=True)
class Description:
    """What a source knows about its own columns; a file of the user's knows nothing."""

    target: str | None = None
    inputs: Mapping[str, Kind] = field(default_factory=dict)
    image_shape: tuple[int, int, int] | None = None  # channels, height, width
    class_names: tuple[str, ...] = ()  # of the target's whole numbers 0, 1, ...
    split_column: str | None = None  # says train, validation or test for each row
    tokens: Tokens = "word"  # character for a language without spaces
    licence: str = ""


class Source(ABC):
    """Order of calls: `identity()` on every run; on the first also `schema()`, then `batches()`
    once for each pass over the rows.
    """

    name: str
    description: Description

    @abstractmethod
    def identity(self) -> str:
        """Hash of all that the rows follow from; equal identities mean equal rows."""

    @abstractmethod
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows from the beginning, in the same order each time, with these columns only.

        A batch holds some 16 MB, whatever the size of the whole.
        """


class TableSource(Source):
    """A data set that fits in memory, made from files by `load` when it is first needed."""

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        load: Callable[[], pa.Table],
        description: Description,
    ) -> None:
        self.name = name
        self.description = description
        self._files = files
        self._load = load
        self._table: pa.Table | None = None

    def identity(self) -> str:
        """Hash of the files' bytes, and the name, which stands for the way they are read."""
        return f"{self.name}:{content_hash(self._files)}"

    def schema(self) -> pa.Schema:
        """Of the loaded table."""
        return self._loaded().schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Slices of the loaded table."""
        yield from table_batches(self._loaded().select(list(columns)))

    def _loaded(self) -> pa.Table:
        if self._table is None:
            self._table = self._load()
        return self._table


def table_batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows of `table` in slices of some 16 MB."""
    rows = rows_per_batch(table.nbytes / max(table.num_rows, 1))
    return iter(table.to_batches(max_chunksize=rows))


def rows_per_batch(bytes_per_row: float) -> int:
    """How many rows make a batch of some 16 MB."""
    return int(min(max(16 * 2**20 / max(bytes_per_row, 1), 64), 65_536))
