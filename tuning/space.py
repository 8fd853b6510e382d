"""The search space: what may be drawn, in which order, and whether the job takes it.

A value reaches the job as `--set path=value` does, through `trivium.platform.job.set_value` and
the job's own typed settings; `job_with` is the only way, for checks and for trials alike.
"""

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from trivium.platform.errors import Mistake, UserError, nearest
from trivium.platform.job import Job, check_job, set_value
from trivium.tuning.dimension import Dimension, Point, alternatives, label
from trivium.tuning.settings import Distribution, Value

if TYPE_CHECKING:
    from optuna.trial import Trial

RESERVED = ("tune", "name", "seed", "seeds", "tracking")


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
                given[path] = alternatives(value)
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
