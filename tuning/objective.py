"""What a sweep makes best: a metric, in which direction, and what a run has of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trivium.platform.errors import UserError, nearest
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
