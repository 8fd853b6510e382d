"""Population-based training: trials that fall behind go on from better ones, with other settings.

Jaderberg and others, Population Based Training of Neural Networks (2017),
https://arxiv.org/abs/1711.09846. Left out: settings of the model or the data, which would not fit
the checkpoint that is taken over.
"""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pydantic import Field

from trivium.platform.errors import Mistake
from trivium.platform.settings import ComponentSettings
from trivium.tuning.dimension import Dimension, Point, label
from trivium.tuning.rounds import InRounds, Round, Standing, Take
from trivium.tuning.settings import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from trivium.tuning.space import Space


class PopulationSettings(ComponentSettings):
    """All trials train together; every few reports the worst go on from the best."""

    interval_reports: int = Field(2, ge=1)
    """Reports between two exchanges."""
    quantile: float = Field(0.25, gt=0, le=0.5)
    """Share of the trials that take over, and of those that are taken over from; one at least."""
    resample: float = Field(0.25, ge=0, le=1)
    """Probability that a setting is drawn anew; else it changes by the factor."""
    factor: float = Field(1.25, gt=1)
    """What a number is multiplied or divided by; a choice moves to a neighbour in its list."""


class Population(InRounds):
    """One trial for each of `tune.num_trials`; the searcher gives their first settings."""

    changes_settings = True
    rescues = True

    def __init__(self, settings: PopulationSettings) -> None:
        self.settings = settings

    def next_round(self, standing: Standing) -> Round | None:
        """Everyone trains; then the last go on from some of the first."""
        interval = self.settings.interval_reports
        if not standing.rounds:
            return Round(interval, tuple(range(standing.num_trials)))
        last = standing.rounds[-1]
        assert last.until is not None
        order = standing.ranked(last.trials)
        live = [m for m in order if not m.is_over or m.value is None]
        count = min(max(1, int(len(live) * self.settings.quantile)), len(live) // 2)
        donors = [m for m in live[:count] if m.value is not None]
        if not donors:  # one alone has nobody to take over from
            alone = tuple(m.number for m in live if m.value is not None)
            return Round(last.until + interval, alone) if alone else None
        takers = [m for i, m in enumerate(live) if m.value is None or i >= len(live) - count]
        generator = standing.generator
        takes = []
        for member in sorted(takers, key=lambda m: m.number):
            donor = donors[int(generator.integers(len(donors)))]
            settings = self.explore(donor.settings, standing.space, generator)
            takes.append(Take(member.number, donor.number, settings))
        going = tuple(sorted(m.number for m in live))
        return Round(last.until + interval, going, takes=tuple(takes))

    def explore(self, point: Point, space: "Space", generator: "np.random.Generator") -> Point:
        """Settings near those of `point`, or drawn anew, each by itself."""
        found: dict[str, Value] = {}
        for dimension in space.dimensions:
            if not dimension.applies(found):
                continue
            if dimension.path not in point or generator.random() < self.settings.resample:
                found[dimension.path] = dimension.at(float(generator.random()))
                continue
            up = bool(generator.random() < 0.5)
            value = point[dimension.path]
            found[dimension.path] = moved(dimension, value, up, self.settings.factor)
        return found


def moved(dimension: Dimension, value: Value, up: bool, factor: float) -> Value:
    """The next choice, or the number times or over `factor`, within what is searched."""
    choices = dimension.distribution.choice
    if choices is not None:
        labels = [label(v) for v in choices]
        place = labels.index(label(value)) + (1 if up else -1)
        return choices[min(max(place, 0), len(choices) - 1)]
    low, high = dimension.probes()
    found = min(max(value * factor if up else value / factor, low), high)
    if dimension.distribution.quantized is not None:
        step = dimension.distribution.quantized[2]
        steps = max(1, round(abs(found - value) / step)) * (1 if up else -1)
        return dimension.read(min(max(value + steps * step, low), high))
    if dimension.distribution.kind.endswith("int"):
        whole = max(round(found), value + 1) if up else min(round(found), value - 1)
        return int(min(max(whole, low), high))
    return found


def fixed_settings(space: "Space", changeable: "Sequence[str]", algorithm: str) -> list[Mistake]:
    """A mistake for each searched setting that a training cannot change on its way."""
    mistakes = []
    for dimension in space.dimensions:
        path = dimension.path
        is_name = path.endswith(".name")
        if not is_name and any(fnmatchcase(path, pattern) for pattern in changeable):
            continue
        can = ", ".join(changeable) or "none"
        mistakes.append(
            Mistake(
                f"tune.space.{path}",
                f"cannot change while it trains, so that population-based training cannot search "
                f"it: a checkpoint would not fit, or would not show it (those of {algorithm} that "
                f"can: {can}); give it a value, or use another scheduler",
            )
        )
    return mistakes
