"""What an evaluation shows, as data: the console and the report render the same exhibits.

An algorithm hands over exhibits; neither the report nor the console knows which algorithm or
task made them. Exhibits go to `exhibits.json` in the run folder and come back equal.
"""

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Cell: TypeAlias = str | float | int


@dataclass(frozen=True)
class Table:
    """Rows under named columns; numbers are aligned right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """A labelled matrix of counts or shares, such as a confusion matrix (rows are the truth)."""

    title: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    row_axis: str = "truth"
    column_axis: str = "prediction"


@dataclass(frozen=True)
class Picture:
    """A PNG with the sentence below it."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Pictures:
    """A row of pictures, such as the worst mistakes or a still of a policy."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Lines:
    """Named curves over a common axis; `bands` holds (lower, upper) for some of the names."""

    title: str
    x_label: str
    x: tuple[float, ...]
    lines: Mapping[str, tuple[float, ...]]
    bands: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = dataclasses.field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Points:
    """Named groups of (x, y) points, each with places of its own: trials by two scores."""

    title: str
    x_label: str
    y_label: str
    groups: Mapping[str, tuple[tuple[float, float], ...]]
    is_joined: bool = False
    """A line joins the points of a group; where x falls back another line of it begins."""
    is_log: bool = False
    """The x axis is logarithmic."""


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    title: str
    text: str


Exhibit: TypeAlias = Table | Matrix | Pictures | Lines | Points | Note

_KINDS: dict[str, Any] = {k.__name__: k for k in (Table, Matrix, Pictures, Lines, Points, Note)}


@dataclass(frozen=True)
class Metric:
    """What a reported number means, for the console, the report and whoever compares runs."""

    name: str
    meaning: str
    larger_is_better: bool
    healthy: str = ""
    """The healthy range and what to suspect outside it, in a sentence."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of a trained model or policy, and what to show of it."""

    metrics: Mapping[str, float]
    exhibits: tuple[Exhibit, ...] = ()


def picture(pixels: "NDArray[np.uint8]", caption: str) -> Picture:
    """A picture of `pixels`, [H, W] gray or [H, W, 3] RGB."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return Picture(buffer.getvalue(), caption)


def to_json(exhibits: Sequence[Exhibit]) -> list[dict[str, Any]]:
    """Plain data for `exhibits.json`."""
    return [{"kind": type(e).__name__} | _plain(dataclasses.asdict(e)) for e in exhibits]


def from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Exhibit, ...]:
    """The exhibits that `to_json` wrote."""
    return tuple(_read(item) for item in data)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _read(item: Mapping[str, Any]) -> Exhibit:
    fields = {k: _tuples(v) for k, v in item.items() if k != "kind"}
    if item["kind"] == "Pictures":
        fields["pictures"] = tuple(
            Picture(base64.b64decode(p["png"]), p["caption"]) for p in item["pictures"]
        )
    made: Exhibit = _KINDS[item["kind"]](**fields)
    return made


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, Mapping):
        return {k: _tuples(v) for k, v in value.items()}
    return value
