"""Which column plays which part, and whether its type can play it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import types

from trivium.datasets.settings import DatasetSettings, Kind
from trivium.datasets.source import Source
from trivium.platform.errors import Mistake, UserError, nearest

_SHOWN = 30  # column names in a message


@dataclass(frozen=True)
class Columns:
    """The parts of the columns, all of which exist and are of a type that can play the part."""

    inputs: Mapping[str, Kind]  # in the order in which a model sees them
    target: str
    split: str | None  # says train, validation or test
    group: str | None
    time: str | None
    image_shape: tuple[int, int, int] | None  # channels, height, width; when an input is an image

    def all(self) -> list[str]:
        """Each column once."""
        named = (*self.inputs, self.target, self.split, self.group, self.time)
        return list(dict.fromkeys(name for name in named if name is not None))


def choose_columns(settings: DatasetSettings, source: Source) -> Columns:
    """The parts that the settings give, or else the source itself.

    Raises:
        UserError: with every column that is missing or of the wrong type.
    """
    schema, known = source.schema(), source.description
    mistakes = list(_missing(settings, schema.names))
    if settings.split.column and known.split_column:
        mistakes.append(
            Mistake(
                "dataset.split.column",
                f"{source.name} has its own test split (column {known.split_column}); "
                "leave column out",
            )
        )
    target = settings.target or known.target
    if target is None:
        mistakes.append(
            Mistake("dataset.target", f"which column is to be predicted? ({_list(schema.names)})")
        )
    if mistakes:
        raise UserError(*mistakes)
    assert target is not None
    split = settings.split.column or known.split_column
    other = {target, split, settings.split.group, settings.split.time}
    inputs, mistakes = _inputs(settings, source, other)
    if target in inputs:
        mistakes.append(
            Mistake("dataset.inputs", f"{target} is the target: the model would see the answer")
        )
    image_shape = None
    images = [name for name, kind in inputs.items() if kind == "image"]
    if images and not mistakes:
        image_shape, more = _image_shape(settings, source, images[0])
        mistakes += more
    if mistakes:
        raise UserError(*mistakes)
    _check_use(settings, inputs)
    return Columns(inputs, target, split, settings.split.group, settings.split.time, image_shape)


def is_number(kind: pa.DataType) -> bool:
    """Whether a cell of this type is one number."""
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether a cell of this type is text."""
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether a cell of this type is a list, of a fixed size or not."""
    return bool(types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind))


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type itself, or of the values of a dictionary."""
    return kind.value_type if types.is_dictionary(kind) else kind


def _missing(settings: DatasetSettings, names: list[str]) -> Iterable[Mistake]:
    asked = [("dataset.target", settings.target)]
    asked += [("dataset.inputs", name) for name in settings.inputs or ()]
    asked += [
        (f"dataset.split.{part}", getattr(settings.split, part))
        for part in ("group", "time", "column")
    ]
    for path, name in asked:
        if name is not None and name not in names:
            yield Mistake(path, f"no column {name!r}{nearest(name, names)} ({_list(names)})")


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"columns: {', '.join(names[:_SHOWN])}{more}"


def _inputs(
    settings: DatasetSettings, source: Source, other: set[str | None]
) -> tuple[dict[str, Kind], list[Mistake]]:
    schema, known = source.schema(), source.description.inputs
    if isinstance(settings.inputs, dict):
        wanted: dict[str, Kind | None] = dict(settings.inputs)
    else:
        names = settings.inputs or known or [n for n in schema.names if n not in other]
        wanted = {name: known.get(name) for name in names}
    inputs: dict[str, Kind] = {}
    mistakes, undecided = [], []
    for name, asked in wanted.items():
        kind = asked or _default_kind(schema.field(name).type)
        if kind is None:
            undecided.append(name)
        elif message := _misfit(schema.field(name).type, kind):
            mistakes.append(
                Mistake("dataset.inputs", f"column {name} {message}{_sample(source, name)}")
            )
        else:
            inputs[name] = kind
    if undecided:
        mistakes.append(_ask_kinds(source, wanted, undecided))
    if not wanted:
        mistakes.append(Mistake("dataset.inputs", "no column is left to be an input"))
    return inputs, mistakes


def _default_kind(kind: pa.DataType) -> Kind | None:
    if is_number(kind):
        return "number"
    if types.is_dictionary(kind):
        return "category"
    if is_list(kind):
        return "image" if types.is_uint8(kind.value_type) else "number"
    return None


def _misfit(kind: pa.DataType, wanted: Kind) -> str:
    """What is wrong with playing `wanted` by a column of type `kind`; empty when nothing is."""
    plain = value_type(kind)
    if wanted == "number":
        fits = is_number(kind) or (is_list(kind) and is_number(kind.value_type))
        return "" if fits else f"holds {_words(plain)}, not numbers; its kind may be category"
    if wanted == "image":
        fits = is_list(kind) and types.is_integer(kind.value_type)
        return "" if fits else f"holds {_words(plain)}, not lists of pixels from 0 to 255"
    if wanted == "text":
        return "" if is_text(plain) else f"holds {_words(plain)}, not text"
    fits = is_text(plain) or types.is_integer(plain) or types.is_boolean(plain)
    return "" if fits else f"holds {_words(plain)}; its kind {wanted} needs text or whole numbers"


def _words(kind: pa.DataType) -> str:
    if is_text(kind):
        return "text"
    if types.is_integer(kind):
        return "whole numbers"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "numbers"
    if types.is_temporal(kind):
        return "times"
    return "lists" if is_list(kind) else str(kind)


def _sample(source: Source, name: str) -> str:
    """` (such as 'x')`: a first value that is there."""
    for batch in source.batches([name]):
        for value in batch.column(0)[:1000]:
            if value.is_valid:
                text = repr(value.as_py())
                return f" (such as {text if len(text) <= 40 else text[:37] + '...'})"
        break
    return ""


def _ask_kinds(source: Source, wanted: Mapping[str, Kind | None], undecided: list[str]) -> Mistake:
    schema = source.schema()
    held = "; ".join(
        f"{n} holds {_words(schema.field(n).type)}{_sample(source, n)}" for n in undecided[:5]
    )
    example = {
        name: kind or _default_kind(schema.field(name).type) or "category"
        for name, kind in wanted.items()
    }
    line = ", ".join(f"{name}: {kind}" for name, kind in list(example.items())[:_SHOWN])
    return Mistake(
        "dataset.inputs",
        f"say what kind of input {', '.join(undecided)} is (number, category, text, id, image) or "
        f"leave it out: {held}; for instance inputs: {{{line}}}",
    )


def _image_shape(
    settings: DatasetSettings, source: Source, name: str
) -> tuple[tuple[int, int, int] | None, list[Mistake]]:
    kind = source.schema().field(name).type
    width = kind.list_size if types.is_fixed_size_list(kind) else _first_length(source, name)
    shape = settings.image_shape or source.description.image_shape
    if shape is None:
        for channels in (1, 3):
            side = math.isqrt(width // channels)
            if channels * side * side == width:
                return (channels, side, side), []
    elif math.prod(shape) == width:
        return (shape[0], shape[1], shape[2]), []
    asked = f"{list(shape)} does not hold" if shape else "[channels, height, width] is needed for"
    return None, [Mistake("dataset.image_shape", f"{asked} the {width} pixels of column {name}")]


def _first_length(source: Source, name: str) -> int:
    for batch in source.batches([name]):
        for value in batch.column(0):
            if value.is_valid:
                return len(value)
    return 0


def _check_use(settings: DatasetSettings, inputs: Mapping[str, Kind]) -> None:
    """A setting that cannot take effect is a mistake; so is a mix that no model could take."""
    kinds = list(inputs.values())
    mistakes = []
    if settings.text is not None and "text" not in kinds:
        mistakes.append(Mistake("dataset.text", "no input is of kind text; leave it out"))
    if settings.image_shape is not None and "image" not in kinds:
        mistakes.append(Mistake("dataset.image_shape", "no input is an image; leave it out"))
    for i, transform in enumerate(settings.transforms or ()):
        changed = ("number", "category") if transform.name == "impute" else ("number", "image")
        if not set(changed) & set(kinds):
            mistakes.append(
                Mistake(
                    f"dataset.transforms.{i}",
                    f"{transform.name} changes inputs of kind {' and '.join(changed)}, and there "
                    f"are only {' and '.join(dict.fromkeys(kinds))}; leave it out",
                )
            )
    for kind in ("text", "image"):
        if kinds.count(kind) > 1:
            names = ", ".join(name for name, k in inputs.items() if k == kind)
            mistakes.append(Mistake("dataset.inputs", f"one {kind} column is the most: {names}"))
    if "id" in kinds and kinds.count("id") != 2:
        names = ", ".join(name for name, k in inputs.items() if k == "id")
        mistakes.append(
            Mistake(
                "dataset.inputs", f"ids come as two columns, the user then the item; got {names}"
            )
        )
    if mistakes:
        raise UserError(*mistakes)
