"""A prepared data set: rows in a mapped file, and all that was learned about them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pyarrow import ipc

from trivium.datasets.column_file import ReadColumn, read_columns
from trivium.datasets.mapped_file import MappedFile
from trivium.datasets.meta import InputRecord, Meta, SplitRecord
from trivium.datasets.settings import TargetKind
from trivium.platform.errors import UserError, nearest

if TYPE_CHECKING:
    from trivium.datasets.batches import Batches

Example = npt.NDArray[np.uint8] | str | dict[str, Any]


@dataclass(frozen=True)
class Input:
    """One input of the model."""

    name: str  # x, image, tokens, id.<column>
    kind: str  # dense | tokens | id
    shape: tuple[int, ...]  # of a row; for tokens (greatest length,); () for an id
    columns: tuple[str, ...]  # names of the parts of a row, or the column it came from


class Dataset:
    """Cheap to open and to send to another process, which opens the same files again."""

    def __init__(self, path: Path, meta: Meta) -> None:
        self.path = path
        self.meta = meta
        self.fingerprint = meta.fingerprint
        self.source = meta.source
        self.target_kind: TargetKind = meta.target_kind
        self.class_names = meta.class_names
        """Empty when the target is a real number."""
        self.warnings = meta.warnings
        """Sentences about the data that the user should see once."""

    @classmethod
    def open(cls, path: Path) -> "Dataset":
        """The data set in the folder `path`; reads nothing but its record."""
        return cls(path, Meta.read(path))

    def __reduce__(self) -> tuple[Callable[[Path], "Dataset"], tuple[Path]]:
        return (Dataset.open, (self.path,))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """In the order in which the model takes them."""
        return tuple(Input(i.name, i.kind, i.shape, i.columns) for i in self.meta.inputs)

    @property
    def facts(self) -> dict[str, Any]:
        """What a model's constructor may ask for: see `trivium.platform.settings.FACTS`."""
        facts: dict[str, Any] = {"output_size": len(self.class_names) or 1}
        if self.meta.target_mean is not None:
            facts["target_mean"] = self.meta.target_mean
        ids = [i for i in self.meta.inputs if i.kind == "id"]
        for name, record in zip(("num_users", "num_items"), ids, strict=False):
            facts[name] = record.num_ids
        for record in self.meta.inputs:
            if record.kind == "dense":
                facts.setdefault("input_shape", record.shape)
            elif record.kind == "tokens":
                facts["vocabulary_size"] = record.vocabulary_size
        return facts

    def num_rows(self, split: str) -> int:
        """Rows of train, validation or test."""
        return self.split(split).num_rows

    def class_counts(self, split: str) -> npt.NDArray[np.int64]:
        """Rows of each class, [num_classes]; empty for a real target."""
        return np.array(self.split(split).class_counts, np.int64)

    def split(self, name: str) -> SplitRecord:
        """Where the rows of a split stand."""
        if name not in self.meta.splits:
            known = ", ".join(self.meta.splits)
            raise UserError(
                f"no split {name!r}{nearest(name, self.meta.splits)} (there are {known})"
            )
        return self.meta.splits[name]

    def batches(
        self,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        rank: int = 0,
        world_size: int = 1,
        device: str = "cpu",
    ) -> "Batches":
        """The rows of a split in batches of `batch_size`, over all `world_size` workers."""
        from trivium.datasets.batches import Batches

        return Batches(
            self,
            split,
            batch_size,
            seed=seed,
            shuffle=shuffle,
            rank=rank,
            world_size=world_size,
            device=device,
        )

    @property
    def columns_path(self) -> Path:
        """The Arrow IPC file of the rows."""
        return self.path / "columns.arrow"

    @cached_property
    def file(self) -> MappedFile:
        """The same file as memory."""
        return MappedFile(self.columns_path)

    @cached_property
    def columns(self) -> dict[str, ReadColumn]:
        """`row`, `target` and one for each input, all splits' rows, as views of the file."""
        return read_columns(self.file)

    def positions(self, rows: npt.NDArray[np.int64], split: str) -> npt.NDArray[np.int64]:
        """Where in the split those rows stand that have these numbers in the source."""
        record = self.split(split)
        numbers = self.columns["row"].cells[record.start : record.start + record.num_rows, 0]
        return np.searchsorted(numbers, rows)  # a split keeps the order of the source

    def example(self, position: int, split: str) -> Example:
        """The inputs of the row at `position` in the split, for a person to look at.

        A picture is uint8 [H, W] or [H, W, 3]; a text is what the model sees of it, unknown
        tokens as `?`; anything else is a mapping from column to value.
        """
        place = self.split(split).start + position
        shown = {record.name: self._shown(record, place) for record in self.meta.inputs}
        if len(shown) == 1:
            value: Example = next(iter(shown.values()))
            return value
        merged: dict[str, Any] = {}
        for record in self.meta.inputs:
            value = shown[record.name]
            merged |= value if isinstance(value, dict) else {record.columns[0]: value}
        return merged

    def vocabulary(self) -> list[str]:
        """The tokens by their numbers; number 0 is padding, number 1 an unknown token."""
        return ["", "?", *self._list("vocabulary")]

    def state(self) -> dict[str, Any]:
        """What a run records of its data, as JSON."""
        state = asdict(self.meta)
        state["splits"] = {
            name: {"rows": s.num_rows, "digest": s.digest, "class_counts": s.class_counts}
            for name, s in self.meta.splits.items()
        }
        state["inputs"] = [
            {key: value for key, value in record.items() if value not in (None, 0, ())}
            for record in state["inputs"]
        ]
        plain: dict[str, Any] = json.loads(json.dumps(state))  # tuples as lists, as when read back
        return plain

    def _shown(self, record: InputRecord, place: int) -> Any:
        column = self.columns[record.name]
        if record.kind == "tokens":
            assert column.starts is not None
            start, end = column.starts[place], column.starts[place + 1]
            words = self.vocabulary()
            gap = " " if (record.settings or {}).get("tokens") == "word" else ""
            return gap.join(words[token] for token in column.cells[start:end])
        cells = column.cells[place]
        if record.kind == "id":
            number = int(cells[0])
            return {record.columns[0]: self._list(record.name)[number - 1] if number else "?"}
        if len(record.shape) == 3:
            pixels = cells.reshape(record.shape).copy()
            return pixels[0] if record.shape[0] == 1 else pixels.transpose(1, 2, 0)
        return _row(record, cells)

    def _list(self, name: str) -> list[str]:
        if name not in self._lists:
            with ipc.open_file(str(self.path / f"{name}.arrow")) as file:
                self._lists[name] = file.get_batch(0).column(0).to_pylist()
        return self._lists[name]

    @cached_property
    def _lists(self) -> dict[str, list[str]]:
        return {}


def _row(record: InputRecord, cells: npt.NDArray[np.float32]) -> dict[str, Any]:
    """A row of the dense matrix as column -> value, a category as its name again."""
    categories = record.categories or {}
    num_one_hot = sum(map(len, categories.values()))
    start = len(cells) - num_one_hot
    row: dict[str, Any] = {
        name: float(f"{value:.7g}")
        for name, value in zip(record.columns[:start], cells[:start], strict=True)
    }
    for name, values in categories.items():
        part = cells[start : start + len(values)]
        row[name] = values[int(part.argmax())] if part.any() else "?"
        start += len(values)
    return row
