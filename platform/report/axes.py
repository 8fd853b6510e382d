"""Axes of a chart: where round ticks stand, and when a logarithmic scale serves better."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Axis:
    """A scale from values to shares of the axis' length (0 is left or bottom, 1 right or top)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """(share, label), from low to high."""
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where `value` stands."""
        return _share(value, self.low, self.high, self.is_log)


def make_axis(
    values: Sequence[float],
    num_ticks: int = 5,
    pad: float = 0.05,
    may_log: bool = False,
    is_log: bool = False,
) -> Axis:
    """The axis that shows all `values`, with about `num_ticks` round ticks.

    With `may_log` it is logarithmic when most values would else lie in the lowest twentieth; with
    `is_log` when all are above 0.
    """
    low, high = min(values), max(values)
    if is_log and 0 < low < high:
        return _log_axis(low, high, num_ticks)
    if may_log and low > 0 and high / low >= 100 and median(values) < high / 20:
        return _log_axis(low, high, num_ticks)
    if low == high:
        reach = abs(low) / 2 if low else 0.5
        low, high = low - reach, high + reach
    margin = (high - low) * pad
    low, high = low - margin, high + margin
    step = _round_step((high - low) / num_ticks)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = [i * step for i in range(first, last + 1)]
    labels = _labels(places, step)
    ticks = tuple((_share(p, low, high), t) for p, t in zip(places, labels, strict=True))
    return Axis(low, high, ticks)


def whole_axis(values: Sequence[float], num_ticks: int = 6) -> Axis:
    """An axis without margin, for epochs and steps: ticks are whole numbers when values are."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
        return Axis(low, high, ((0.5, _labels([values[0]], 1)[0]),))
    step = _round_step((high - low) / num_ticks)
    if all(float(v).is_integer() for v in values):
        step = max(step, 1.0)
    places = [i * step for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]
    labels = _labels(places, step)
    ticks = tuple((_share(p, low, high), t) for p, t in zip(places, labels, strict=True))
    return Axis(low, high, ticks)


def _log_axis(low: float, high: float, num_ticks: int) -> Axis:
    low, high = low / 1.15, high * 1.15
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / (num_ticks + 1)))
    places = [10.0**power for power in range(first, last + 1, every)]
    ticks = tuple((_share(p, low, high, is_log=True), _plain(p)) for p in places)
    return Axis(low, high, ticks, is_log=True)


def _share(value: float, low: float, high: float, is_log: bool = False) -> float:
    if is_log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _round_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def _labels(places: Sequence[float], step: float) -> list[str]:
    """All with the same decimals, so that a column of labels reads evenly."""
    largest = max((abs(p) for p in places), default=0.0)
    if 0 < largest < 1e-3 or step < 1e-5:
        return [_plain(p) for p in places]
    if largest >= 10_000:
        for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if largest >= unit:
                decimals = _decimals(step / unit)
                return [f"{p / unit:.{decimals}f}{suffix}" if p else "0" for p in places]
    decimals = _decimals(step)
    return [f"{p + 0.0:.{decimals}f}" for p in places]


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        mantissa = f"{float(mantissa):g}"
    return f"{mantissa}e{int(exponent)}"
