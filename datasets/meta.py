"""`meta.json` beside the columns: all that a reader of a prepared data set needs to know."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trivium.datasets.settings import TargetKind

FORMAT = 1
"""Part of the fingerprint: another layout or another meaning of a cell makes another data set."""


@dataclass(frozen=True)
class InputRecord:
    """One input as it was fitted."""

    name: str  # of its column in the file
    kind: str  # dense | tokens | id
    shape: tuple[int, ...]  # of a row; for tokens the greatest length; () for ids
    columns: tuple[str, ...]  # of the source, or of the matrix
    scale: tuple[float, ...] = ()  # x * scale + shift, per column or image channel
    shift: tuple[float, ...] = ()
    statistics: dict[str, list[float]] | None = None  # of the training rows
    categories: dict[str, list[str]] | None = None
    vocabulary_size: int = 0
    mean_length: float = 0.0
    settings: dict[str, Any] | None = None  # of the text
    num_ids: int = 0


@dataclass(frozen=True)
class SplitRecord:
    """Where the rows of a split stand in the file, and what they are."""

    start: int
    num_rows: int
    digest: str  # of the rows' inputs, whatever their order
    class_counts: tuple[int, ...]  # empty for a real target


@dataclass(frozen=True)
class Meta:
    """The whole record; `json.dumps` of it is the file."""

    fingerprint: str
    source: str
    licence: str
    num_rows: int  # of the source, unused ones included
    target: str
    target_kind: TargetKind
    class_names: tuple[str, ...]
    target_mean: float | None
    inputs: tuple[InputRecord, ...]
    splits: dict[str, SplitRecord]
    warnings: tuple[str, ...]
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """As `meta.json`."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / "meta.json").write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Meta":
        """The record of a prepared data set."""
        data: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        data["inputs"] = tuple(map(_input_record, data["inputs"]))
        data["splits"] = {
            name: SplitRecord(**{**record, "class_counts": tuple(record["class_counts"])})
            for name, record in data["splits"].items()
        }
        for key in ("class_names", "warnings"):
            data[key] = tuple(data[key])
        return cls(**data)


def _input_record(data: dict[str, Any]) -> InputRecord:
    tuples = {key: tuple(data[key]) for key in ("shape", "columns", "scale", "shift")}
    return InputRecord(**{**data, **tuples})
