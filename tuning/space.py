"""The search space: what may be drawn, in which order, and whether the job takes it.

A value reaches the job as `--set path=value` does, through `trivium.platform.job.set_value` and
the job's own typed settings; `job_with` is the only way, for checks and for trials alike.
"""

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from trivium.platform.errors import Mistake, UserError, nearest
from trivium.platform.job import Job, check_job, set_value
from trivium.tuning.settings import Distribution, Value

if TYPE_CHECKING:
    from optuna.trial import Trial

Point = Mapping[str, Value]
"""One setting to try: dotted name to value; a name whose condition does not hold is absent."""

RESERVED = ("tune", "name", "seed", "seeds", "tracking")


@dataclass(frozen=True)
class Dimension:
    """One searched setting."""

    path: str
    distribution: Distribution

    def applies(self, point: Point) -> bool:
        """Whether its condition holds in `point`."""
        when = self.distribution.when or {}
        return all(p in point and point[p] in _alternatives(v) for p, v in when.items())

    def draw(self, trial: "Trial") -> Value:
        """What Optuna's sampler suggests; a list or a mapping is a choice by its JSON."""
        kind, values = self.distribution.kind, self._as_is()
        if kind == "choice":
            return self.read(trial.suggest_categorical(self.path, [label(v) for v in values]))
        low, high = values[0], values[1]
        is_log = kind.startswith("log")
        if kind in ("int", "logint"):
            return trial.suggest_int(self.path, low, high, log=is_log)
        if kind == "quantized":
            suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
            return self.read(suggest(self.path, low, _last(values), step=values[2]))
        return trial.suggest_float(self.path, low, high, log=is_log)

    def read(self, drawn: Value) -> Value:
        """What the job gets for what Optuna drew."""
        if self.distribution.choice is not None:
            return next(v for v in self.distribution.choice if label(v) == drawn)
        if self.distribution.quantized is not None and isinstance(drawn, float):
            return round(drawn, 12)  # 0.1 + 2 * 0.1 is 0.30000000000000004
        return drawn

    def probes(self) -> tuple[Value, ...]:
        """Values that the job must take if it is to take all: each choice, or the extremes."""
        if self.distribution.choice is not None:
            return self.distribution.choice
        values = self._as_is()
        return (values[0], _last(values) if self.distribution.quantized else values[1])

    def grid(self, num_points: int | None) -> tuple[Value, ...]:
        """All values, or `num_points` of a range that has too many (evenly, or by its logarithm).

        Raises:
            UserError: a range of numbers, and `num_points` is None.
        """
        kind, values = self.distribution.kind, self._as_is()
        if kind == "choice":
            return tuple(values)
        low, high = values[0], values[1]
        if kind == "quantized":
            count = round((_last(values) - low) / values[2]) + 1
            return tuple(self.read(low + i * values[2]) for i in range(count))
        if kind == "int" and (num_points is None or high - low < num_points):
            return tuple(range(low, high + 1))
        if num_points is None:
            raise UserError(
                f"a grid needs a finite number of values, {kind} has more: use choice or "
                "quantized, or give the number of points as search: {name: grid, points: 5}"
            )
        shares = [i / max(1, num_points - 1) for i in range(num_points)]
        if kind.startswith("log"):
            found = [math.exp(math.log(low) + s * math.log(high / low)) for s in shares]
        else:
            found = [low + s * (high - low) for s in shares]
        if kind.endswith("int"):
            return tuple(sorted({round(v) for v in found}))
        return tuple(found)

    def accepts(self, value: Value) -> bool:
        """Whether the value could have been drawn."""
        if self.distribution.choice is not None:
            return any(label(v) == label(value) for v in self.distribution.choice)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.distribution.kind.endswith("int") and not isinstance(value, int):
            return False
        low, high = self.probes()
        return bool(low <= value <= high)

    def unexplored(self, tried: Sequence[Value]) -> str:
        """What none of the tried values comes near, in words; empty when all was tried."""
        if self.distribution.choice is not None:
            labels = {label(v) for v in tried}
            left = [str(v) for v in self.distribution.choice if label(v) not in labels]
            return f"never {', '.join(left)}" if left else ""
        low, high = self.probes()
        if not tried:
            return f"never {low:g} to {high:g}"
        is_log = self.distribution.kind.startswith("log")
        place = math.log if is_log else float
        tenth = (place(high) - place(low)) / 10
        ends = []
        if place(min(tried)) - place(low) > tenth:
            ends.append(f"below {min(tried):.3g}")
        if place(high) - place(max(tried)) > tenth:
            ends.append(f"above {max(tried):.3g}")
        return f"nothing {' or '.join(ends)}" if ends else ""

    def _as_is(self) -> tuple[Value, ...]:
        values: tuple[Value, ...] = getattr(self.distribution, self.distribution.kind)
        if self.distribution.quantized and all(float(v).is_integer() for v in values):
            return tuple(int(v) for v in values)
        return values


class Space:
    """All searched settings, those that others depend on first."""

    def __init__(self, distributions: Mapping[str, Distribution]) -> None:
        self.dimensions = _ordered([Dimension(p, d) for p, d in distributions.items()])

    def draw(self, trial: "Trial") -> dict[str, Value]:
        """The point that Optuna's sampler suggests."""
        point: dict[str, Value] = {}
        for dimension in self.dimensions:
            if dimension.applies(point):
                point[dimension.path] = dimension.draw(trial)
        return point

    def grid(self, num_points: int | None = None) -> list[dict[str, Value]]:
        """All points; settings whose condition does not hold take no part in one.

        Raises:
            UserError: with each setting that has no finite number of values.
        """
        return list(self._grid(self.axes(num_points)))

    def grid_size(self, num_points: int | None = None) -> int:
        """How many points the grid has at most: as if every condition held."""
        return math.prod(len(a) for a in self.axes(num_points))

    def encoded(self, point: Point) -> dict[str, Value]:
        """The point as Optuna's study has it."""
        choices = {d.path for d in self.dimensions if d.distribution.choice is not None}
        return {p: label(v) if p in choices else v for p, v in point.items()}

    def axes(self, num_points: int | None) -> list[tuple[Value, ...]]:
        """The values of each setting."""
        axes, mistakes = [], []
        for dimension in self.dimensions:
            try:
                axes.append(dimension.grid(num_points))
            except UserError as error:
                mistakes.append(Mistake(f"tune.space.{dimension.path}", str(error)))
        if mistakes:
            raise UserError(*mistakes)
        return axes

    def _grid(self, axes: Sequence[tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
        seen = set()
        for values in product(*axes):
            point: dict[str, Value] = {}
            for dimension, value in zip(self.dimensions, values, strict=True):
                if dimension.applies(point):
                    point[dimension.path] = value
            key = json.dumps(point, sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield point


def job_with(data: Mapping[str, Value], point: Point, default_name: str) -> Job:
    """The checked job of `data` with the settings of `point`, shorter paths first.

    So `algorithm.optimizer: sgd` comes before `algorithm.optimizer.lr: 0.1`.

    Raises:
        UserError: the job does not take them.
    """
    changed = copy.deepcopy(dict(data))
    for path in sorted(point, key=lambda p: p.count(".")):
        set_value(changed, path, copy.deepcopy(point[path]))
    changed.pop("tune", None)
    return check_job(changed, default_name)


def check_space(data: Mapping[str, Value], space: Space, points: Sequence[Point]) -> list[Mistake]:
    """Every mistake that the space and its first points would make in a trial of this job."""
    known = {d.path for d in space.dimensions}
    mistakes: list[Mistake] = []
    for dimension in space.dimensions:
        found = _misplaced(dimension, known) or _refused(data, dimension, space)
        mistakes += [Mistake(f"tune.space.{dimension.path}", m) for m in found]
    for index, point in enumerate(points):
        for path, value in point.items():
            place = f"tune.points.{index}.{path}"
            fitting = next((d for d in space.dimensions if d.path == path), None)
            if fitting is None:
                message = (
                    f"is not searched{nearest(path, known)} (searched: {', '.join(sorted(known))})"
                )
                mistakes.append(Mistake(place, message, key=True))
            elif not fitting.accepts(value):
                mistakes.append(Mistake(place, f"{value!r} is outside the searched values"))
    return mistakes


def label(value: Value) -> str | float | int | bool | None:
    """A choice as Optuna stores it: plain values as they are, others as JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=list)


def _misplaced(dimension: Dimension, known: set[str]) -> list[str]:
    top = dimension.path.partition(".")[0]
    if top in RESERVED:
        return [f"{top} belongs to the sweep and is not searched"]
    return [
        f"when: {path} is not searched, so the condition never changes"
        f"{nearest(path, known - {dimension.path})}"
        for path in dimension.distribution.when or {}
        if path not in known
    ]


def _refused(data: Mapping[str, Value], dimension: Dimension, space: Space) -> list[str]:
    """Why the job refuses some of the values; each reason once."""
    found: dict[str, None] = {}
    for given in _contexts(dimension, space):
        try:
            job_with(data, given, "job")
        except UserError:
            continue  # the settings that the condition names are told of at their own places
        for value in dimension.probes():
            try:
                job_with(data, {**given, dimension.path: value}, "job")
            except UserError as error:
                for mistake in error.mistakes:
                    place = "" if mistake.path == dimension.path else f"{mistake.path}: "
                    found[f"{_where(given)}{place}{mistake.message}"] = None
    return list(found)


def _where(given: Point) -> str:
    return f"with {', '.join(f'{p}: {v}' for p, v in given.items())}: " if given else ""


def _contexts(dimension: Dimension, space: Space) -> list[dict[str, Value]]:
    """Points in which the setting is searched: its condition holds, and below each component
    that is itself searched, since the component decides which settings there are.
    """
    by_path = {d.path: d for d in space.dimensions}
    given: dict[str, Sequence[Value]] = {}
    todo = [dimension]
    while todo:
        for path, value in (todo.pop().distribution.when or {}).items():
            if path in by_path and path not in given:
                given[path] = _alternatives(value)
                todo.append(by_path[path])
    for other in space.dimensions:
        above = other.path.removesuffix(".name")
        if dimension.path.startswith(f"{above}.") and other is not dimension:
            given.setdefault(other.path, other.probes())
    return [dict(zip(given, values, strict=True)) for values in product(*given.values())]


def _ordered(dimensions: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """Those that a condition names before those that have it."""
    known = {d.path for d in dimensions}
    placed: list[Dimension] = []
    left = list(dimensions)
    while left:
        names = {d.path for d in placed}
        ready = [d for d in left if not (set(d.distribution.when or {}) & known) - names]
        if not ready:
            circle = ", ".join(d.path for d in left)
            raise UserError.at("tune.space", f"conditions go in a circle: {circle}")
        placed += ready
        left = [d for d in left if d not in ready]
    return tuple(placed)


def _alternatives(value: Value) -> Sequence[Value]:
    return value if isinstance(value, list | tuple) else (value,)


def _last(steps: Sequence[Value]) -> Value:
    """The greatest low + n * step that is not above high."""
    low, high, step = steps
    last = low + math.floor((high - low) / step + 1e-9) * step
    return int(last) if float(last).is_integer() and float(step).is_integer() else last
