"""What a job file says under `dataset:`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, WrapValidator, model_validator

from trivium.platform.settings import ComponentSettings, Many, Settings, component

Kind = Literal["number", "category", "text", "id", "image"]
Tokens = Literal["word", "character"]
TargetKind = Literal["class", "real"]
Fraction = Annotated[float, Field(ge=0, le=1)]


_NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Many[str])
_KINDS: TypeAdapter[dict[str, Kind]] = TypeAdapter(dict[str, Kind])


def _list_or_mapping(value: Any, _all: Any) -> tuple[str, ...] | dict[str, Kind] | None:
    """Read as what it is, so that a wrong kind is not also told to be no list."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return _KINDS.validate_python(dict(value), strict=True)
    if isinstance(value, list | tuple):
        return _NAMES.validate_python(value)
    raise ValueError(f"must be a list of columns, or a mapping from column to kind, got {value!r}")


class SplitSettings(Settings):
    """Which rows train, which choose the best model, which score it.

    A row's place follows from its content, never from its position, and rows with the same inputs
    stay together. The fractions are of all rows, or of the training rows where the source (or
    `column`) already names the rest.
    """

    train: Fraction | None = None
    """Fraction of rows to train on; left out: all that validation and test leave."""

    validation: Fraction | None = None
    """Fraction of rows that choose the best epoch; left out: 0.1, unless the source has its own."""

    test: Fraction | None = None
    """Fraction of rows for the final score; left out: 0.1, unless the source has its own."""

    stratify: bool = False
    """Give each split the same share of each class."""

    group: str | None = None
    """Column whose equal values stay in one split (a patient, a customer)."""

    time: str | None = None
    """Column to split by: the oldest rows train, the newest test; equal times stay together."""

    column: str | None = None
    """Column that says train, validation or test for each row."""

    seed: int = 0
    """Another seed, another split; apart from the job's seed, so that seeds share one test set."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        chosen = [n for n in ("stratify", "group", "time") if getattr(self, n)]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} exclude each other; keep one of them")
        if self.time and self.seed:
            raise ValueError("seed has no effect on a split by time; leave it out")
        given = [f for f in (self.train, self.validation, self.test) if f is not None]
        if sum(given) > 1 + 1e-9:
            parts = " + ".join(f"{f:g}" for f in given)
            raise ValueError(f"the fractions sum to more than 1: {parts} = {sum(given):g}")
        if self.train == 0:
            raise ValueError("train must be greater than 0: without rows nothing is learned")
        return self


class TextSettings(Settings):
    """How a text becomes a sequence of token numbers."""

    tokens: Tokens | None = None
    """Cut at all but letters, digits and apostrophes, or at every character (for a language
    without spaces); left out: the source's own, else word."""

    vocabulary_size: Annotated[int, Field(ge=3)] = 20_000
    """At most so many tokens, the most frequent of the training rows; 0 is padding, 1 unknown."""

    max_length: Annotated[int, Field(ge=1)] = 256
    """Tokens kept of a text, from its beginning."""

    lower_case: bool = True
    """Read `The` and `the` as one token."""


class DatasetSettings(Settings):
    """Pillar 1: where the rows come from, what of them is input and target, how they are split."""

    source: str | Many[str]
    """A registered source, path or glob (one or several) to CSV, Parquet, Arrow or JSON Lines
    files, a folder of them or of idx files, or your own `file.py:function`."""

    target: str | None = None
    """Column to predict; left out: the source's own."""

    inputs: Annotated[Many[str] | dict[str, Kind] | None, WrapValidator(_list_or_mapping)] = None
    """Columns that the model sees, a list or a mapping from column to kind (number, category,
    text, id, image); left out: the source's own, or all columns that have no other part."""

    image_shape: Many[int] | None = None
    """[channels, height, width] of an image column; left out: square, one or three channels."""

    split: SplitSettings = SplitSettings()
    """Which rows train, validate and test."""

    transforms: (
        Many[Annotated[ComponentSettings, component("trivium.datasets.registry:TRANSFORMS")]] | None
    ) = None
    """Steps on numbers and pixels, fitted on the training rows; left out: standardize."""

    text: TextSettings | None = None
    """How texts become tokens; left out: words."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.source:
            raise ValueError("source is empty; give a registered name, a path or file.py:function")
        if self.inputs is not None and not self.inputs:
            raise ValueError("inputs is empty; name at least one column, or leave inputs out")
        if self.image_shape is not None and (
            len(self.image_shape) != 3 or min(self.image_shape) < 1
        ):
            raise ValueError(
                f"image_shape must be [channels, height, width], got {list(self.image_shape)}"
            )
        return self
