"""JSON Lines: an object on each line, its fields the columns. Types come from the first 16 MB."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import json

_BLOCK = 16 * 2**20


def schema(file: Path) -> pa.Schema:
    """The fields of the first block; a later line that does not fit them is an error on reading."""
    with _open(file) as reader:
        return reader.schema


def batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows with all their fields, or those of `schema` where they differ."""
    with _open(file) as reader:
        yield from reader


def _open(file: Path) -> "json.JSONStreamingReader":
    if file.stat().st_size == 0:
        raise pa.ArrowInvalid("the file is empty")
    try:
        return json.open_json(
            pa.input_stream(str(file), compression="detect"), json.ReadOptions(block_size=_BLOCK)
        )
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(f"{error}; each line must be one object of the same fields") from None
