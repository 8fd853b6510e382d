"""Arrow IPC files (Feather version 2), as a file or a stream, through a memory map."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from trivium.datasets.mapped_file import MappedFile
from trivium.datasets.source import rows_per_batch

_MAGIC = b"ARROW1"  # of the file format; the stream format begins without one


def schema(file: Path) -> pa.Schema:
    """Of the file's head."""
    return _open(file, MappedFile(file)).schema


def batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in slices, and their pages given back: a file may be one batch of many gigabytes."""
    mapped = MappedFile(file)
    reader = _open(file, mapped)
    whole = (
        (reader.get_batch(i) for i in range(reader.num_record_batches))
        if isinstance(reader, ipc.RecordBatchFileReader)
        else iter(reader)
    )
    for batch in whole:
        rows = rows_per_batch(batch.nbytes / max(batch.num_rows, 1))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)
            mapped.release()


def _open(
    file: Path, mapped: MappedFile
) -> "ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader":
    with file.open("rb") as f:
        is_file = f.read(len(_MAGIC)) == _MAGIC
    return (ipc.open_file if is_file else ipc.open_stream)(mapped.buffer())
