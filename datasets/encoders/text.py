"""Texts: sequences of token numbers. 0 is padding, 1 a token that training did not keep."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.datasets.encoders.encoder import Encoder, Gaps, Mask, is_null
from trivium.datasets.row_hash import Hashes, hash_values
from trivium.datasets.settings import TextSettings
from trivium.platform.errors import Mistake

UNKNOWN = 1
_NUM_SPECIAL = 2  # padding and unknown
_NOT_IN_WORD = r"[^\p{L}\p{M}\p{N}']+"
_MOST_WORDS = 2_000_000  # beyond it the words met once so far are forgotten: memory is bounded
_CODE_POINTS = 0x110000


class TextEncoder(Encoder):
    """Cuts texts into words or characters and numbers the most frequent ones of training."""

    name = "tokens"

    def __init__(self, column: str, settings: TextSettings) -> None:
        self._column, self._settings = column, settings
        self._cut: _Words | _Characters = (
            _Words(settings) if settings.tokens == "word" else _Characters(settings)
        )
        self._lengths: list[npt.NDArray[np.int32]] = []
        self._missing = Gaps(
            "dataset.inputs", column, "has no text (null)", "fill or remove these rows"
        )

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        """Look for nulls."""
        texts = batch.column(self._column)
        self._missing.add(is_null(texts), first_row)
        return hash_values(texts, "text")

    def mistakes(self) -> list[Mistake]:
        """Nulls."""
        return self._missing.mistakes()

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Count the tokens of the training rows; note the length of each row."""
        tokens, lengths = self._cut(self._texts(batch))
        self._lengths.append(lengths.astype(np.int32))
        self._cut.count(tokens, np.repeat(is_training, lengths))

    def finish(self, num_training: int) -> None:
        """Keep the most frequent tokens; of equally frequent ones the alphabetically first."""
        self._cut.keep(self._settings.vocabulary_size - _NUM_SPECIAL)

    def storage(self) -> tuple[np.dtype[Any], int | None]:
        """Int32, as many as the text has tokens."""
        return np.dtype(np.int32), None

    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of each row of the source, at least 1."""
        return np.concatenate(self._lengths)

    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """The token numbers of all rows, row after row."""
        tokens, _ = self._cut(self._texts(batch))
        return self._cut.numbers(tokens)

    def record(self) -> dict[str, Any]:
        """How the text was cut, and how many tokens there are."""
        lengths = self.lengths()
        return {
            "kind": "tokens",
            "shape": [int(lengths.max())],
            "columns": [self._column],
            "vocabulary_size": len(self._cut.vocabulary) + _NUM_SPECIAL,
            "settings": self._settings.model_dump(),
            "mean_length": float(lengths.mean()),
        }

    def tables(self) -> dict[str, pa.Array]:
        """The tokens in the order of their numbers, from 2 on."""
        return {"vocabulary": self._cut.vocabulary}

    def _texts(self, batch: pa.RecordBatch) -> pa.Array:
        texts = batch.column(self._column)
        if pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        texts = pc.utf8_trim_whitespace(texts.cast(pa.large_string()))
        return pc.utf8_lower(texts) if self._settings.lower_case else texts


class _Words:
    def __init__(self, settings: TextSettings) -> None:
        self._max_length = settings.max_length
        self._counts: dict[str, int] = {}
        self.vocabulary = pa.array([], pa.large_string())

    def __call__(self, texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
        """All words in a row, and how many each text has; an empty text has one empty word."""
        spaced = pc.replace_substring_regex(texts, _NOT_IN_WORD, " ")
        words = pc.split_pattern(pc.utf8_trim_whitespace(spaced), " ")
        words = pc.list_slice(words, 0, self._max_length)
        lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False)
        return words.flatten(), lengths.astype(np.int64)

    def count(self, words: pa.Array, is_training: Mask) -> None:
        counted = words.filter(pa.array(is_training)).value_counts()
        if len(self._counts) > _MOST_WORDS:
            self._counts = {word: n for word, n in self._counts.items() if n > 1}
        pairs = (counted.field(i).to_pylist() for i in range(2))
        for word, n in zip(*pairs, strict=True):
            self._counts[word] = self._counts.get(word, 0) + n

    def keep(self, most: int) -> None:
        self._counts.pop("", None)
        ordered = sorted(self._counts, key=lambda word: (-self._counts[word], word))
        self.vocabulary = pa.array(ordered[:most], pa.large_string())

    def numbers(self, words: pa.Array) -> npt.NDArray[np.int32]:
        found = pc.index_in(words, value_set=self.vocabulary).fill_null(UNKNOWN - _NUM_SPECIAL)
        numbers: npt.NDArray[np.int32] = found.to_numpy(zero_copy_only=False).astype(np.int32)
        return numbers + np.int32(_NUM_SPECIAL)


class _Characters:
    def __init__(self, settings: TextSettings) -> None:
        self._max_length = settings.max_length
        self._counts = np.zeros(_CODE_POINTS, np.int64)
        self._numbers = np.full(_CODE_POINTS, UNKNOWN, np.int32)
        self.vocabulary = pa.array([], pa.large_string())

    def __call__(self, texts: pa.Array) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """All code points in a row, and how many each text has; an empty text has one space."""
        texts = pc.if_else(pc.equal(texts, ""), " ", texts)
        texts = pc.utf8_slice_codeunits(texts, 0, self._max_length)
        lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
        joined = "".join(texts.to_pylist())
        return np.frombuffer(joined.encode("utf-32-le"), np.uint32), lengths.astype(np.int64)

    def count(self, points: npt.NDArray[np.uint32], is_training: Mask) -> None:
        self._counts += np.bincount(points[is_training], minlength=_CODE_POINTS)

    def keep(self, most: int) -> None:
        order = np.argsort(-self._counts, kind="stable")[:most]
        order = order[self._counts[order] > 0]
        self._numbers[order] = np.arange(len(order), dtype=np.int32) + _NUM_SPECIAL
        self.vocabulary = pa.array([chr(point) for point in order], pa.large_string())

    def numbers(self, points: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
        return self._numbers[points]
