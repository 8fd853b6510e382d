"""The trials of a sweep as rows: how each ended, its value, its settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from trivium.platform.run import RunFolder
from trivium.platform.summary import duration_s
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective, best_value, dominates, values_of
from trivium.tuning.plan import aims_in, read_sweep

EARLY = "stopped early"
"""How the error of a trial begins that the scheduler stopped."""


@dataclass(frozen=True)
class TrialRow:
    """One trial."""

    number: int
    status: str
    """finished, stopped early, failed, running or pending."""
    value: float | None
    """Its best value of the metric; the mean of the bests over seeds or folds."""
    num_reports: int
    point: Point
    took_s: float | None
    error: str = ""
    values: tuple[float, ...] = ()
    """What it reached in each aim, when the sweep has several."""


def objective_of(run: RunFolder) -> Objective:
    """What the sweep makes best.

    Raises:
        UserError: the run is no sweep.
    """
    content = read_sweep(run)
    return Objective(content["metric"], content["larger_is_better"])


def aims_of(run: RunFolder) -> tuple[Objective, ...]:
    """All that the sweep makes best.

    Raises:
        UserError: the run is no sweep.
    """
    return aims_in(read_sweep(run))


def trial_rows(run: RunFolder) -> list[TrialRow]:
    """All trials that were begun, by number."""
    aims = aims_of(run)
    return [_row(c, aims) for c in children_of(run) if c.path.name.isdigit()]


def ended_of(child: RunFolder) -> str | None:
    """How a trial ended by its run.json; None when it has still to go on."""
    status = child.info["status"]
    if status == "stopped":
        return "pruned" if str(child.info.get("error")).startswith(EARLY) else None
    return str(status) if status in ("finished", "failed") else None


def pareto_front(rows: Sequence[TrialRow], aims: Sequence[Objective]) -> list[TrialRow]:
    """Trials that no other one beats in all aims, the best in the first aim first."""
    whole = [r for r in rows if len(r.values) == len(aims)]
    front = [r for r in whole if not any(dominates(o.values, r.values, aims) for o in whole)]
    return sorted(front, key=lambda r: (aims[0].sort_key(r.values[0]), r.number))


def children_of(run: RunFolder) -> list[RunFolder]:
    """The trials and runs of the final; one that is just being made has no run.json yet."""
    return [c for c in run.children() if (c.path / "run.json").is_file()]


def ranked(rows: Sequence[TrialRow], objective: Objective) -> list[TrialRow]:
    """Those that have a value and did not fail, the best first; of equals the earlier one."""
    valued = [(r, r.value) for r in rows if r.value is not None and r.status != "failed"]
    ordered = sorted(valued, key=lambda pair: (objective.sort_key(pair[1]), pair[0].number))
    return [row for row, _ in ordered]


def _row(child: RunFolder, aims: Sequence[Objective]) -> TrialRow:
    value, count = best_value(child, aims[0])
    values = values_of(child, aims) if len(aims) > 1 and child.status == "finished" else None
    error = str(child.info.get("error") or "")
    is_early = child.status == "stopped" and error.startswith(EARLY)
    return TrialRow(
        number=int(child.path.name),
        status="stopped early" if is_early else child.status,
        value=values[0] if values else value,
        num_reports=count,
        point=child.info.get("tune", {}).get("settings", {}),
        took_s=duration_s(child),
        error=error,
        values=values or (),
    )
