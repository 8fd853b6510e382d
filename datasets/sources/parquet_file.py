"""Parquet files, a few thousand rows at a time, whatever the size of their row groups."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from trivium.datasets.source import rows_per_batch


def schema(file: Path) -> pa.Schema:
    """Of the file's footer."""
    return parquet.read_schema(file)


def batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows, the columns of `schema` only.

    The columns are read through small buffers and not fetched ahead, or a row group of a
    gigabyte would be in memory as a whole.
    """
    with parquet.ParquetFile(file, pre_buffer=False, buffer_size=2**20) as reader:
        groups = [reader.metadata.row_group(i) for i in range(reader.metadata.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        rows = rows_per_batch(size / max(reader.metadata.num_rows, 1))
        yield from reader.iter_batches(batch_size=rows, columns=schema.names, use_threads=False)
