"""CSV files, read in blocks. The types of the columns come from all rows, not from the first."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

_WIDER = {  # type that a cell does not fit -> the next to try; text takes all
    "null": pa.int64(),
    "int64": pa.float64(),
    "bool": pa.string(),
    "double": pa.string(),
    "date32[day]": pa.timestamp("s"),
    "timestamp[s]": pa.timestamp("ns"),
}
_MISFIT = re.compile(r"In CSV column #(\d+): .*CSV conversion error to ([^:]+): ")


def schema(file: Path) -> pa.Schema:
    """The narrowest types that every row fits; reads the whole file.

    Arrow guesses the types from the first block and fails at the first later cell that does not
    fit. Here that column gets the next wider type and the reading starts again, so that the types
    do not depend on the order of the rows.
    """
    types: dict[str, pa.DataType] = {}
    try:
        found = _settled(file, types, use_threads=True)
    except pa.ArrowInvalid:
        found = _settled(file, types, use_threads=False)  # only so does Arrow tell the row
    if binary := [f.name for f in found if pa.types.is_binary(f.type)]:
        raise pa.ArrowInvalid(f"column {', '.join(binary)} is not UTF-8 text; save it as UTF-8")
    return found


def _settled(file: Path, types: dict[str, pa.DataType], use_threads: bool) -> pa.Schema:
    """The schema that all rows fit; columns that had to be widened are added to `types`."""
    while True:
        with _open(file, types, use_threads=use_threads) as reader:
            found = reader.schema
            try:
                for _ in reader:
                    pass
            except pa.ArrowInvalid as error:
                misfit = _MISFIT.search(str(error))
                if misfit is None:
                    raise
                name = found.names[int(misfit[1])]
                types[name] = _WIDER.get(misfit[2], pa.string())
                continue
        return found


def batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows, the columns of `schema` only."""
    types = {field.name: field.type for field in schema}
    with _open(file, types, schema.names) as reader:
        yield from reader


def _open(
    file: Path,
    types: dict[str, pa.DataType],
    columns: list[str] | None = None,
    use_threads: bool = True,
) -> csv.CSVStreamingReader:
    return csv.open_csv(
        pa.input_stream(str(file), compression="detect"),
        csv.ReadOptions(block_size=4 * 2**20, use_threads=use_threads),
        csv.ParseOptions(delimiter=_delimiter(file), newlines_in_values=True),
        csv.ConvertOptions(column_types=types, include_columns=columns),
    )


def _delimiter(file: Path) -> str:
    """The one of comma, semicolon, tab and bar that the head line has most of."""
    with pa.input_stream(str(file), compression="detect") as stream:
        head = stream.read(2**16).split(b"\n")[0].decode("utf-8", "replace")
    return max(",;\t|", key=head.count)
