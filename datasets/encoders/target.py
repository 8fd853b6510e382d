"""The target: a class, or a real number."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.columns import is_text, value_type
from trivium.datasets.encoders.encoder import Gaps, Mask, is_null
from trivium.datasets.row_hash import as_floats
from trivium.datasets.settings import TargetKind
from trivium.platform.errors import Mistake

_MOST_GUESSED = 20  # different whole numbers that are taken for classes without being asked
_MOST_CLASSES = 10_000
_PATH = "dataset.target"


class TargetEncoder:
    """Order of calls as for an `Encoder`. The classes are those of all rows."""

    def __init__(
        self,
        column: str,
        kind: pa.DataType,
        wanted: TargetKind | None,
        class_names: tuple[str, ...],
    ) -> None:
        self._column, self._wanted, self._known_names = column, wanted, class_names
        self._type = value_type(kind)
        self._is_number = not is_text(self._type) and not pa.types.is_boolean(self._type)
        self._counts_values = wanted == "class" or (
            wanted is None and not pa.types.is_floating(self._type)
        )
        self._codes: list[npt.NDArray[np.int32]] = []
        self._index: dict[Any, int] = {}
        self._ranks = np.zeros(0, np.int32)
        self._sum, self._num_training = 0.0, 0
        advice = "remove or label these rows"
        self._missing = Gaps(_PATH, column, "has no value (null, NaN or empty)", advice)
        self._infinite = Gaps(_PATH, column, "is infinite", advice)
        self.class_names: tuple[str, ...] = ()

    @property
    def kind(self) -> TargetKind:
        """Settled once all rows have been surveyed."""
        return "class" if self._counts_values else "real"

    def survey(self, batch: pa.RecordBatch, first_row: int) -> None:
        """Look for gaps; collect the different values."""
        values = self._plain(batch)
        if self._is_number:
            cells = as_floats(values)
            self._missing.add(np.isnan(cells), first_row)
            self._infinite.add(np.isinf(cells), first_row)
        else:
            self._missing.add(is_null(values), first_row)
        if self._counts_values and len(self._index) <= _MOST_CLASSES:
            encoded = values.dictionary_encode()
            found = encoded.dictionary.to_pylist()
            table = np.array(
                [self._index.setdefault(value, len(self._index)) for value in found], np.int32
            )
            codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
            self._codes.append(table[codes] if len(table) else np.zeros(len(codes), np.int32))

    def mistakes(self) -> list[Mistake]:
        """Gaps, and a kind that does not suit the values. Settles the classes."""
        found = self._missing.mistakes() + self._infinite.mistakes()
        if not self._is_number and self._wanted == "real":
            found.append(
                Mistake(
                    _PATH,
                    f"column {self._column} holds text or true/false, not the numbers "
                    "that algorithm.task asks for",
                )
            )
        num_values = len(self._index)
        is_guess = self._wanted is None and self._is_number
        if self._counts_values and not found:
            if is_guess and num_values > _MOST_GUESSED:
                found.append(
                    Mistake(
                        _PATH,
                        f"column {self._column} holds {num_values} different whole numbers: "
                        "classes or a quantity? set algorithm.task to classification or regression",
                    )
                )
            elif num_values > _MOST_CLASSES:
                found.append(
                    Mistake(
                        _PATH,
                        f"column {self._column} has more than {_MOST_CLASSES} different values, "
                        "too many for classes",
                    )
                )
            elif num_values < 2:
                only = next(iter(self._index), None)
                found.append(
                    Mistake(
                        _PATH,
                        f"column {self._column} is {only!r} in every row: nothing to learn",
                    )
                )
            else:
                self._settle_classes()
        return found

    def codes(self) -> npt.NDArray[np.int32] | None:
        """The class of each row of the source, once; None for a real target."""
        if not self._counts_values:
            return None
        ranks = [self._ranks[codes] for codes in self._codes]
        self._codes.clear()
        return np.concatenate(ranks)

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Mean of a real target."""
        if not self._counts_values:
            cells = as_floats(self._plain(batch))[is_training]
            self._sum += float(cells.sum())
            self._num_training += len(cells)

    @property
    def mean(self) -> float:
        """Over the training rows; of a real target."""
        return self._sum / max(self._num_training, 1)

    def storage(self) -> tuple[np.dtype[Any], int]:
        """Int64 classes, float32 numbers."""
        return np.dtype(np.int64 if self._counts_values else np.float32), 1

    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """[n, 1]."""
        values = self._plain(batch)
        if not self._counts_values:
            return as_floats(values).astype(np.float32)[:, None]
        encoded = values.dictionary_encode()
        table = np.array([self._index[v] for v in encoded.dictionary.to_pylist()], np.int32)
        codes: npt.NDArray[np.int32] = table[encoded.indices.to_numpy(zero_copy_only=False)]
        return self._ranks[codes].astype(np.int64)[:, None]

    def _settle_classes(self) -> None:
        """Number the classes in the order of their values, not in the order of the rows."""
        ordered = sorted(self._index)
        self._ranks = np.empty(len(ordered), np.int32)
        for rank, value in enumerate(ordered):
            self._ranks[self._index[value]] = rank
        names = self._known_names
        if names and ordered == list(range(len(names))):
            self.class_names = names
        else:
            self.class_names = tuple(_name(value) for value in ordered)

    def _plain(self, batch: pa.RecordBatch) -> pa.Array:
        values = batch.column(self._column)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if is_text(values.type):
            import pyarrow.compute as pc

            values = values.cast(pa.large_string())
            return pc.if_else(pc.equal(values, ""), None, values)
        return values


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
