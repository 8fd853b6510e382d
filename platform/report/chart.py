"""Charts as geometry: curves thinned and scaled to shares of a drawing of 1000 x 1000.

The template stretches the drawing to the width of the screen with strokes of constant width, and
sets labels as text beside it, so that a chart reads equally on a phone and on a desktop.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from trivium.platform.curves import Curve, CurveGroup, Values
from trivium.platform.phrasing import number
from trivium.platform.report.axes import Axis, make_axis, whole_axis

MAX_POINTS = 500
MAX_DOTS = 25
NUM_COLORS = 6
_SIDE = 1000

Point = tuple[float, float]


@dataclass(frozen=True)
class Trace:
    """One curve as SVG path data; an empty text draws nothing."""

    name: str
    color: int
    """Number of the colour in the style sheet, from 1."""
    line: str
    smooth: str
    """The running mean of a long, noisy curve, drawn over it."""
    band: str
    dots: str
    """A mark at each value when there are few, or where the line would be a lone point."""


@dataclass(frozen=True)
class Chart:
    """A chart, ready to be drawn."""

    title: str
    x_label: str
    x: Axis
    y: Axis
    traces: tuple[Trace, ...]
    mark: float | None
    """Share of the x axis where the best step is marked."""
    gaps: tuple[float, ...]
    """Shares of the x axis where a value was not finite."""
    readout: str
    """JSON for the read-out under the pointer: axis ends, and the drawn values of each curve."""
    summary: str
    """The chart in a sentence, for screen readers."""


def draw(
    group: CurveGroup,
    mark: float | None = None,
    is_joined: bool = True,
    marks_gaps: bool = True,
    is_log: bool = False,
) -> Chart | None:
    """The chart of `group`, None when it has no finite value; `mark` is the best step's place.

    Unless `is_joined`, points are dots in no order; unless `marks_gaps`, a value that is missing
    only breaks the line. With `is_log` the x axis is logarithmic.
    """
    curves = [c for c in group.curves if any(y is not None for y in c.y)]
    if not curves:
        return None
    places = [v for c in curves for v in c.x]
    x = whole_axis(places) if is_joined else make_axis(places, may_log=True, is_log=is_log)
    shown = [v for c in curves for v in _finite(c)]
    y = make_axis(shown, may_log=True)
    thinned = [_thin(c) for c in curves]
    traces = tuple(
        _trace(c, _smooth(whole) if is_joined and _is_sorted(whole) else None, i, x, y, is_joined)
        for i, (c, whole) in enumerate(zip(thinned, curves, strict=True))
    )
    gaps = sorted(
        {x.share(a) for c in group.curves for a, b in zip(c.x, c.y, strict=True) if b is None}
    )
    return Chart(
        title=group.title,
        x_label=group.x_label,
        x=x,
        y=y,
        traces=traces,
        mark=x.share(mark) if mark is not None and x.low <= mark <= x.high else None,
        gaps=tuple(gaps[:50]) if marks_gaps else (),
        readout=_readout(group, thinned, x, y),
        summary=_summary(group, curves),
    )


def _finite(curve: Curve) -> Iterator[float]:
    for values in (curve.y, curve.low, curve.high):
        yield from (v for v in values if v is not None)


def _thin(curve: Curve) -> Curve:
    """At most about MAX_POINTS points: of each stretch its smallest and largest value."""
    count = len(curve.x)
    if count <= MAX_POINTS or not _is_sorted(curve):
        return curve
    stretch = math.ceil(count / (MAX_POINTS // 2))
    kept: set[int] = {0, count - 1}
    for begin in range(0, count, stretch):
        members = range(begin, min(begin + stretch, count))
        kept.update(_extremes(curve.y, members))
        kept.update([i for i in members if curve.y[i] is None][:1])
    order = sorted(kept)

    def take(values: Values) -> Values:
        return tuple(values[i] for i in order) if values else ()

    return Curve(
        curve.name,
        tuple(curve.x[i] for i in order),
        take(curve.y),
        take(curve.low),
        take(curve.high),
    )


def _is_sorted(curve: Curve) -> bool:
    """A single line; several lines in one colour begin anew."""
    return all(a <= b for a, b in pairwise(curve.x))


def _extremes(values: Values, members: range) -> list[int]:
    known = [(v, i) for i in members if (v := values[i]) is not None]
    return [min(known)[1], max(known)[1]] if known else []


def _smooth(curve: Curve) -> Curve | None:
    """The running mean over a fortieth of the curve, None where a curve is short or calm."""
    known = [(a, b) for a, b in zip(curve.x, curve.y, strict=True) if b is not None]
    values = [b for _, b in known]
    if len(values) < 80:
        return None
    wandered = sum(abs(b - a) for a, b in pairwise(values))
    if wandered < 6 * (max(values) - min(values)):
        return None
    reach = max(2, len(values) // 80)
    sums = list(accumulate(values, initial=0.0))
    means = []
    for i in range(len(values)):
        begin, end = max(0, i - reach), min(len(values), i + reach + 1)
        means.append((sums[end] - sums[begin]) / (end - begin))
    return _thin(Curve(curve.name, tuple(a for a, _ in known), tuple(means)))


def _trace(
    curve: Curve, smooth: Curve | None, index: int, x: Axis, y: Axis, is_joined: bool
) -> Trace:
    pieces = list(_pieces(curve.x, curve.y, x, y))
    # A stroke of no length with round ends is a dot, whatever the drawing is stretched to.
    few = sum(map(len, pieces)) <= MAX_DOTS or not is_joined
    return Trace(
        name=curve.name,
        color=index % NUM_COLORS + 1,
        line=_line(pieces) if is_joined else "",
        smooth=_line(list(_pieces(smooth.x, smooth.y, x, y))) if smooth else "",
        band=_band(curve, x, y),
        dots="".join(f"M{a:.1f} {b:.1f}h0" for p in pieces if few or len(p) == 1 for a, b in p),
    )


def _line(pieces: Sequence[Sequence[Point]]) -> str:
    return "".join(_path(p) for p in pieces if len(p) > 1)


def _pieces(xs: Sequence[float], ys: Values, x: Axis, y: Axis) -> Iterator[list[Point]]:
    """Runs of finite values: a curve is broken where it has none."""
    piece: list[Point] = []
    for a, b in zip(xs, ys, strict=True):
        if b is None:
            if piece:
                yield piece
            piece = []
        else:
            piece.append((x.share(a) * _SIDE, (1 - y.share(b)) * _SIDE))
    if piece:
        yield piece


def _band(curve: Curve, x: Axis, y: Axis) -> str:
    known = [
        (a, low, high)
        for a, low, high in zip(curve.x, curve.low, curve.high, strict=False)
        if low is not None and high is not None
    ]
    if len(known) < 2:
        return ""
    upper = [(x.share(a) * _SIDE, (1 - y.share(high)) * _SIDE) for a, _, high in known]
    lower = [(x.share(a) * _SIDE, (1 - y.share(low)) * _SIDE) for a, low, _ in known]
    return _path(upper + lower[::-1]) + "Z"


def _path(points: Sequence[Point]) -> str:
    first, *rest = (f"{a:.1f} {b:.1f}" for a, b in points)
    return f"M{first}L{' '.join(rest)}"


def _readout(group: CurveGroup, curves: Sequence[Curve], x: Axis, y: Axis) -> str:
    content = {
        "label": group.x_label,
        "x": [x.low, x.high],
        "log": x.is_log,
        "curves": [
            {"name": c.name, "x": list(c.x), "y": [v and float(f"{v:.5g}") for v in c.y]}
            if _is_sorted(c)
            else {"name": c.name, "x": [], "y": []}
            for c in curves
        ],
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _summary(group: CurveGroup, curves: Sequence[Curve]) -> str:
    parts = []
    for curve in curves:
        known = [v for v in curve.y if v is not None]
        parts.append(f"{curve.name} from {number(known[0])} to {number(known[-1])}")
    return f"{group.title} over {group.x_label}: {', '.join(parts)}"
