"""One searched setting: what may be drawn for it, and how Optuna has it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivium.platform.errors import UserError
from trivium.tuning.settings import Distribution, Value

if TYPE_CHECKING:
    from optuna.trial import Trial

Point = Mapping[str, Value]
"""One setting to try: dotted name to value; a name whose condition does not hold is absent."""


@dataclass(frozen=True)
class Dimension:
    """One searched setting."""

    path: str
    distribution: Distribution

    def applies(self, point: Point) -> bool:
        """Whether its condition holds in `point`."""
        when = self.distribution.when or {}
        return all(p in point and point[p] in alternatives(v) for p, v in when.items())

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

    def position(self, value: Value) -> float:
        """Where the value lies between the lowest (0) and the highest (1), or among the choices."""
        if self.distribution.choice is not None:
            labels = [label(v) for v in self.distribution.choice]
            return labels.index(label(value)) / (len(labels) - 1)
        low, high = self.probes()
        place = math.log if self.distribution.kind.startswith("log") else float
        return (place(value) - place(low)) / (place(high) - place(low))

    def at(self, share: float) -> Value:
        """The value at a share of the way, from 0 up to but not including 1."""
        kind, values = self.distribution.kind, self._as_is()
        if kind == "choice":
            return values[int(share * len(values))]
        if kind in ("quantized", "int"):
            all_values = self.grid(None)
            return all_values[int(share * len(all_values))]
        low, high = values[0], values[1]
        if kind.startswith("log"):
            found = math.exp(math.log(low) + share * math.log(high / low))
        else:
            found = low + share * (high - low)
        return round(found) if kind.endswith("int") else found

    def _as_is(self) -> tuple[Value, ...]:
        values: tuple[Value, ...] = getattr(self.distribution, self.distribution.kind)
        if self.distribution.quantized and all(float(v).is_integer() for v in values):
            return tuple(int(v) for v in values)
        return values


def label(value: Value) -> str | float | int | bool | None:
    """A choice as Optuna stores it: plain values as they are, others as JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=list)


def alternatives(value: Value) -> Sequence[Value]:
    """A condition's values: those of a list, or the one."""
    return value if isinstance(value, list | tuple) else (value,)


def _last(steps: Sequence[Value]) -> Value:
    """The greatest low + n * step that is not above high."""
    low, high, step = steps
    last = low + math.floor((high - low) / step + 1e-9) * step
    return int(last) if float(last).is_integer() and float(step).is_integer() else last
