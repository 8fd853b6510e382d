"""Files of the user's: CSV, Parquet, Arrow IPC and JSON Lines, one or many, read as one table."""

import glob
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pyarrow as pa

from trivium.datasets.cache import content_hash
from trivium.datasets.source import Description, Source
from trivium.platform.errors import UserError

_FORMATS = {  # extension -> module of this folder, imported when such a file is read
    ".csv": "csv_file",
    ".tsv": "csv_file",
    ".parquet": "parquet_file",
    ".pq": "parquet_file",
    ".arrow": "arrow_file",
    ".feather": "arrow_file",
    ".ipc": "arrow_file",
    ".jsonl": "json_lines_file",
    ".ndjson": "json_lines_file",
    ".json": "json_lines_file",
}
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_TEXT_FORMATS = ("csv_file", "json_lines_file")


class FileSource(Source):
    """The rows of all files, file after file in the order of their names."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self.description = Description()
        self._formats = [(file, _format(file)) for file in files]  # modules load on first read
        self._schema: pa.Schema | None = None

    def identity(self) -> str:
        """Hash of the bytes: the same files in another place are the same data."""
        kinds = sorted({name for _, name in self._formats})
        return f"{'+'.join(kinds)}:{content_hash(file for file, _ in self._formats)}"

    def schema(self) -> pa.Schema:
        """The columns that all files have; whole numbers and fractions meet as fractions.

        Raises:
            UserError: a file cannot be read, or its columns are not those of the first.
        """
        if self._schema is None:
            first, first_format = self._formats[0]
            schema = _schema(first, first_format)
            for file, name in self._formats[1:]:
                schema = _joined(schema, first, _schema(file, name), file)
            self._schema = schema
        return self._schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows of one file after the other, their columns cast to the common types."""
        schema = pa.schema([self.schema().field(name) for name in columns])
        for file, name in self._formats:
            try:
                for batch in _module(name).batches(file, schema):
                    yield batch.select(columns).cast(schema)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
                raise _unreadable(file, error) from None


def find_files(patterns: Sequence[str], folders: Sequence[Path]) -> list[Path]:
    """The files that paths, folders and globs name, each looked for in `folders` in turn.

    Raises:
        UserError: with every pattern that matches nothing.
    """
    found: dict[Path, None] = {}
    missing = []
    for pattern in patterns:
        for folder in folders:
            if matches := _matches(pattern, folder):
                found.update(dict.fromkeys(matches))
                break
        else:
            missing.append(pattern)
    if missing:
        looked = " and ".join(dict.fromkeys(str(f.resolve()) for f in folders))
        raise UserError.at(
            "dataset.source", f"no file matches {', '.join(missing)} (looked in {looked})"
        )
    return list(found)


def _schema(file: Path, format_name: str) -> pa.Schema:
    try:
        schema: pa.Schema = _module(format_name).schema(file)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise _unreadable(file, error) from None
    names = schema.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError.at(
            "dataset.source", f"{file} has more than one column named {', '.join(twice)}"
        )
    return schema


def _matches(pattern: str, folder: Path) -> list[Path]:
    path = folder / Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        visible = [f for f in path.iterdir() if f.is_file() and f.name[0] not in "._"]
        return sorted(f for f in visible if _format_name(f))
    hits = sorted(glob.glob(str(path), recursive=True))
    return [Path(hit) for hit in hits if Path(hit).is_file()]


def _format_name(file: Path) -> str | None:
    suffixes = [s.lower() for s in file.suffixes]
    packed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    if packed:
        suffixes.pop()
    name = _FORMATS.get(suffixes[-1]) if suffixes else None
    return None if packed and name not in _TEXT_FORMATS else name


def _module(format_name: str) -> ModuleType:
    return importlib.import_module(f"trivium.datasets.sources.{format_name}")


def _format(file: Path) -> str:
    name = _format_name(file)
    if name is None:
        raise UserError.at(
            "dataset.source",
            f"{file.name} is of no known kind; its name must end in one of "
            f"{', '.join(_FORMATS)} (text also with {', '.join(_COMPRESSED)})",
        )
    return name


def _joined(schema: pa.Schema, first: Path, other: pa.Schema, file: Path) -> pa.Schema:
    if missing := [name for name in schema.names if name not in other.names]:
        raise UserError.at(
            "dataset.source", f"{file} has no column {', '.join(missing)}, which {first} has"
        )
    if more := [name for name in other.names if name not in schema.names]:
        raise UserError.at(
            "dataset.source", f"{file} has a column {', '.join(more)}, which {first} has not"
        )
    try:
        return pa.unify_schemas([schema, other], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError.at(
            "dataset.source", f"{file} and {first} hold different kinds: {error}"
        ) from None


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = str(error).split("\n")[0]
    return UserError.at("dataset.source", f"{file} cannot be read: {reason}")
