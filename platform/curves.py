"""Curves out of metrics.jsonl: which belong in one chart, over which axis, with which band."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from trivium.platform.run import Record

PLACE = ("step", "epoch", "env_steps", "time_s", "trial")
"""The entries of a record that say where it stands; all others are metrics."""
SPLITS = ("train", "validation", "test")
_AXIS_LABEL = {"env_steps": "environment steps", "epoch": "epoch", "step": "step"}
_BANDS = (("_low", "_high"), ("_min", "_max"))
_WATCHED = ("_per_s", "_std", "episodes", "_steps")
_INTERVAL = "_ci95"  # half the 95% confidence interval of a `_mean`

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Curve:
    """One metric over the run; None stands for a value that was not finite."""

    name: str
    x: tuple[float, ...]
    y: Values
    low: Values = ()
    """Lower edge of a band around the curve, as long as `y`; empty when there is none."""
    high: Values = ()


@dataclass(frozen=True)
class CurveGroup:
    """Curves of one chart: what follows the slash in their names is the same."""

    title: str
    x_label: str
    curves: tuple[Curve, ...]


def metric_names(records: Iterable[Record]) -> list[str]:
    """Names of the metrics, in the order in which they first appear."""
    return list(dict.fromkeys(k for r in records for k in r if k not in PLACE))


def axis(records: Sequence[Record]) -> str:
    """The entry of the records that curves run over: env_steps, epoch or step."""
    return next((a for a in ("env_steps", "epoch") if any(a in r for r in records)), "step")


def curve(records: Sequence[Record], name: str, over: str | None = None) -> Curve:
    """The values of one metric, in the order of the records."""
    over = over or axis(records)
    points = [(float(r.get(over, r["step"])), r[name]) for r in records if name in r]
    return Curve(name, tuple(x for x, _ in points), tuple(y for _, y in points))


def curve_groups(records: Sequence[Record]) -> list[CurveGroup]:
    """All metrics as charts: those with a validation curve first, then as they appear."""
    names = metric_names(records)
    over = axis(records)
    edges = _edges(names)
    groups: dict[str, list[Curve]] = {}
    for name in names:
        if any(name in pair for pair in edges.values()):
            continue
        line = curve(records, name, over)
        if name in edges:
            line = _with_band(records, line, edges[name], over)
        groups.setdefault(stem(name), []).append(line)
    made = [
        CurveGroup(_title(key, lines), _AXIS_LABEL[over], tuple(sorted(lines, key=_train_first)))
        for key, lines in groups.items()
    ]
    return sorted(made, key=_rank)


def mean_groups(runs: Sequence[Sequence[Record]]) -> list[CurveGroup]:
    """Charts of several runs of one job: each curve the mean, its band the smallest to largest.

    Only places that every run has reached are drawn, so that the mean is over the same runs.
    """
    per_run = [{g.title: g for g in curve_groups(records)} for records in runs if records]
    made = []
    for title, group in per_run[0].items() if per_run else ():
        lines = []
        for line in group.curves:
            same = [
                c for g in per_run if title in g for c in g[title].curves if c.name == line.name
            ]
            if len(same) == len(per_run):
                lines.append(_mean(same))
        if any(c.x for c in lines):
            made.append(CurveGroup(title, group.x_label, tuple(lines)))
    return made


def stem(name: str) -> str:
    """What follows the slash, without a trailing `_mean`."""
    return name.rpartition("/")[2].removesuffix("_mean")


def _edges(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Of each metric that has a band: the names of its lower and upper edge.

    The same name twice is half the width of a confidence interval around the metric.
    """
    known = set(names)
    found = {}
    for name in names:
        base = name.removesuffix("_mean")
        for low, high in _BANDS:
            if base + low in known and base + high in known:
                found[name] = (base + low, base + high)
                break
        else:
            if base + _INTERVAL in known and base != name:
                found[name] = (base + _INTERVAL, base + _INTERVAL)
    return found


def _with_band(records: Sequence[Record], line: Curve, edges: tuple[str, str], over: str) -> Curve:
    low, high = (curve(records, e, over) for e in edges)
    if low.x != line.x or high.x != line.x:
        return line
    if edges[0] != edges[1]:
        return Curve(line.name, line.x, line.y, low.y, high.y)
    around = [
        (None, None) if y is None or half is None else (y - half, y + half)
        for y, half in zip(line.y, low.y, strict=True)
    ]
    return Curve(
        line.name, line.x, line.y, tuple(a for a, _ in around), tuple(b for _, b in around)
    )


def _mean(lines: Sequence[Curve]) -> Curve:
    tables = [{x: y for x, y in zip(c.x, c.y, strict=True) if y is not None} for c in lines]
    shared = [x for x in tables[0] if all(x in t for t in tables)]
    values = [[t[x] for t in tables] for x in shared]
    return Curve(
        lines[0].name,
        tuple(shared),
        tuple(fmean(v) for v in values),
        tuple(min(v) for v in values),
        tuple(max(v) for v in values),
    )


def _title(key: str, lines: Sequence[Curve]) -> str:
    """A lone curve that belongs to no split is named in full: `loss/policy`."""
    prefix = lines[0].name.rpartition("/")[0]
    if len(lines) == 1 and prefix and prefix not in (*SPLITS, "episode"):
        return f"{prefix}/{key}"
    return key


def _train_first(line: Curve) -> int:
    prefix = line.name.rpartition("/")[0]
    return SPLITS.index(prefix) if prefix in SPLITS else len(SPLITS)


def _rank(group: CurveGroup) -> int:
    """Place on the page: what is judged first, what is only watched last."""
    prefixes = {c.name.rpartition("/")[0] for c in group.curves}
    if group.title == "return":
        return 0
    if group.title.endswith(_WATCHED):
        return 4
    if "validation" in prefixes or "evaluation" in prefixes:
        return 1
    return 2 if "train" in prefixes or "episode" in prefixes else 3
