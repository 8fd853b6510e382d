"""What a sweep makes best: a metric, in which direction, and what a run has of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from trivium.platform.errors import Mistake, UserError, nearest
from trivium.platform.exhibit import Metric
from trivium.platform.run import Record, RunFolder
from trivium.platform.summary import telling
from trivium.tuning.settings import TuneSettings

HELD_OUT = ("validation", "evaluation")


@dataclass(frozen=True)
class Objective:
    """A metric by its full name, such as validation/accuracy."""

    metric: str
    larger_is_better: bool
    is_cost: bool = False
    """Measured on the trained model, not reported while it trains."""

    @property
    def mode(self) -> str:
        """The direction in Ray Tune's word."""
        return "max" if self.larger_is_better else "min"

    def better(self, a: float | None, b: float | None) -> float | None:
        """The better of two values; None is no value (it was not finite)."""
        if a is None or b is None:
            return b if a is None else a
        return max(a, b) if self.larger_is_better else min(a, b)

    def best_of(self, records: Iterable[Record]) -> tuple[float | None, int]:
        """The best value in the records, and how many have the metric."""
        best, count = None, 0
        for record in records:
            if self.metric in record:
                best, count = self.better(best, record[self.metric]), count + 1
        return best, count

    def sort_key(self, value: float) -> float:
        """Smallest for the best."""
        return -value if self.larger_is_better else value


def best_value(run: RunFolder, objective: Objective) -> tuple[float | None, int]:
    """The best value and the number of reports; over seeds or folds the mean of their bests."""
    if run.info.get("kind") not in ("seeds", "folds"):
        return objective.best_of(run.metrics())
    done = [c for c in run.children() if c.status == "finished"]
    values = [v for v, _ in (best_value(c, objective) for c in done) if v is not None]
    return (sum(values) / len(values) if values else None), len(values)


def curve_of(run: RunFolder, objective: Objective) -> list[float]:
    """What a scheduler was told of the run, report by report: the best value so far.

    Over seeds or folds a report is a whole training, and the value the mean of the bests so far.
    """
    if run.info.get("kind") in ("seeds", "folds"):
        done = (best_value(c, objective)[0] for c in run.children() if c.status == "finished")
        values = [v for v in done if v is not None]
        return [fmean(values[:count]) for count in range(1, len(values) + 1)]
    best, curve = None, []
    for record in run.metrics():
        if objective.metric in record:
            best = objective.better(best, record[objective.metric])
            curve.append(math.nan if best is None else best)
    return curve


def without_value(run: RunFolder, objective: Objective) -> str:
    """Why a run that trained to its end has no value."""
    if any(objective.metric in record for record in run.metrics()):
        return f"{objective.metric} was never finite"
    return f"never reported {objective.metric}"


def values_of(run: RunFolder, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """What a finished run reached in each aim, all of the model that it kept; None if one lacks.

    Over seeds or folds the means.
    """
    if run.info.get("kind") in ("seeds", "folds"):
        found = [values_of(c, objectives) for c in run.children() if c.status == "finished"]
        whole = [f for f in found if f is not None]
        return tuple(map(fmean, zip(*whole, strict=True))) if whole else None
    step = run.result.get("best_step")
    kept: Record = next((r for r in reversed(run.metrics()) if r["step"] == step), {})
    measured: Record = run.result.get("costs", {})
    values = [(measured if o.is_cost else kept).get(o.metric) for o in objectives]
    known = tuple(float(v) for v in values if v is not None)
    return known if len(known) == len(objectives) else None


def dominates(a: Sequence[float], b: Sequence[float], objectives: Sequence[Objective]) -> bool:
    """`a` is as good as `b` in every aim, and better in one."""
    keys = [(o.sort_key(x), o.sort_key(y)) for o, x, y in zip(objectives, a, b, strict=True)]
    return all(x <= y for x, y in keys) and any(x < y for x, y in keys)


def choose_objectives(
    settings: TuneSettings, metrics: Sequence[Metric], costs: Sequence[Metric]
) -> tuple[Objective, ...]:
    """What the sweep makes best: one metric, or each of `tune.metrics`.

    Raises:
        UserError: the algorithm reports and measures no such metric.
    """
    if not settings.metrics:
        return (choose_objective(settings, metrics),)
    known = {m.name: m for m in (*metrics, *costs)}
    held_out = [m.name for m in metrics if m.name.partition("/")[0] in HELD_OUT]
    names = [*(held_out or [m.name for m in metrics]), *(c.name for c in costs)]
    mistakes = [
        Mistake(
            f"tune.metrics.{index}",
            f"{name!r} is not reported{nearest(name, known)} (some of {', '.join(names)})",
        )
        for index, name in enumerate(settings.metrics)
        if name not in known
    ]
    if mistakes:
        raise UserError(*mistakes)
    if all(name in {c.name for c in costs} for name in settings.metrics):
        raise UserError.at(
            "tune.metrics", f"has nothing that training makes better; add one of {held_out}"
        )
    measured = {c.name for c in costs}
    return tuple(
        Objective(name, known[name].larger_is_better, name in measured)
        for name in sorted(settings.metrics, key=lambda n: n in measured)
    )


def choose_objective(settings: TuneSettings, metrics: Sequence[Metric]) -> Objective:
    """The metric that the sweep names, else the algorithm's most telling one on held-out data.

    Raises:
        UserError: the algorithm reports no such metric.
    """
    known = {m.name: m for m in metrics}
    name = settings.metric
    if name is None:
        name = telling([n for n in known if n.partition("/")[0] in HELD_OUT])
        if name is None:
            message = f"is required (this algorithm reports {', '.join(known)})"
            raise UserError.at("tune.metric", message)
    if name not in known:
        names = [n for n in known if n.partition("/")[0] in HELD_OUT] or list(known)
        message = f"{name!r} is not reported{nearest(name, known)} (one of {', '.join(names)})"
        raise UserError.at("tune.metric", message)
    if settings.mode is not None:
        return Objective(name, settings.mode == "max")
    return Objective(name, known[name].larger_is_better)
