"""The final: the best settings and the job's own, trained again on seeds that chose nothing.

The best of many noisy values is best partly by luck. Repeating the first few on fresh seeds tells
how much; all candidates get the same seeds, so the interval is that of their paired differences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.platform.interval import mean_and_interval
from trivium.platform.job import Job
from trivium.platform.run import RunFolder
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective, best_value
from trivium.tuning.plan import Plan
from trivium.tuning.takeover import stages_of
from trivium.tuning.trials import children_of, ranked, trial_rows

OWN = "defaults"
"""The candidate that is the job as it was written."""
FRESH = 1000
"""Added to the job's seed; seeds of trials begin at the job's own."""


@dataclass(frozen=True)
class FinalRun:
    """One run of the final, to be made."""

    name: str
    of: str
    """The candidate: a trial's number, or OWN."""
    point: Point
    job: Job
    stages: tuple[tuple[int | None, Job], ...] = ()
    """Of a trial whose settings changed on its way: until which report it has which job."""


@dataclass(frozen=True)
class Candidate:
    """What the final found of one setting."""

    name: str
    """`trial 12`, or `the job's own settings`."""
    of: str
    point: Point
    values: tuple[float, ...]
    mean: float
    half_width: float
    """Half the 95% confidence interval of the mean."""


@dataclass(frozen=True)
class Verdict:
    """The winner of the final, and how sure that is."""

    winner: Candidate
    others: tuple[Candidate, ...]
    """The best first."""
    differences: tuple[tuple[float, float], ...]
    """For each of `others`: winner minus other, in the better direction, and its 95% half-width."""

    def sentences(self, metric: str) -> list[str]:
        """What to say of it, with the numbers."""
        winner = self.winner
        said = [
            f"{winner.name} wins: {metric} {winner.mean:.4f} +/- {winner.half_width:.4f} over "
            f"{len(winner.values)} fresh seeds"
        ]
        for other, (gain, half) in zip(self.others, self.differences, strict=True):
            known = "better than" if gain > half else "not surely better than"
            said.append(f"{known} {other.name}: by {gain:.4f} +/- {half:.4f}")
        return said


def final_runs(run: RunFolder, plan: Plan) -> list[FinalRun]:
    """The runs of the final, those of one seed beside each other."""
    settings = plan.settings.final
    if len(plan.objectives) > 1:
        return []  # no one winner to be sure of
    best = ranked(trial_rows(run), plan.objective)[: settings.top]
    if not best:
        return []
    candidates: list[tuple[str, Point]] = [(str(row.number), row.point) for row in best]
    candidates.append((OWN, {}))
    return [
        _final_run(run, plan, of, point, index)
        for index in range(settings.seeds)
        for of, point in candidates
    ]


def _final_run(run: RunFolder, plan: Plan, of: str, point: Point, index: int) -> FinalRun:
    seed = (plan.job.seed + FRESH + index) % 2**31
    name, job = f"{of}-seed{index}", plan.trial_job(point, seed=seed, seeds=1)
    stages = [] if of == OWN else stages_of(RunFolder(run.path / "children" / of))
    if len(stages) < 2:
        return FinalRun(name, of, point, job)
    ends = [*(s.reports for s in stages[1:]), None]
    jobs = [plan.trial_job(s.settings, seed=seed, seeds=1) for s in stages]
    return FinalRun(name, of, point, jobs[0], tuple(zip(ends, jobs, strict=True)))


def judge(run: RunFolder, objective: Objective) -> Verdict | None:
    """What the final says; None while fewer than two candidates have two seeds in common."""
    values: dict[str, dict[str, float]] = {}
    points: dict[str, Point] = {}
    for child in children_of(run):
        tune: Mapping[str, Any] = child.info.get("tune", {})
        if "final_of" not in tune or child.status != "finished":
            continue
        value, _ = best_value(child, objective)
        if value is not None:
            seed = child.path.name.rpartition("-")[2]
            values.setdefault(tune["final_of"], {})[seed] = value
            points[tune["final_of"]] = tune["settings"]
    common = sorted(set.intersection(*(set(v) for v in values.values()))) if values else []
    if len(values) < 2 or len(common) < 2:
        return None
    found = [_candidate(of, points[of], [v[s] for s in common]) for of, v in values.items()]
    winner, *others = sorted(found, key=lambda c: objective.sort_key(c.mean))
    differences = tuple(_difference(winner, other, objective) for other in others)
    return Verdict(winner, tuple(others), differences)


def _candidate(of: str, point: Point, values: Sequence[float]) -> Candidate:
    mean, half = mean_and_interval(values)
    name = "the job's own settings" if of == OWN else f"trial {of}"
    return Candidate(name, of, point, tuple(values), mean, half)


def _difference(a: Candidate, b: Candidate, objective: Objective) -> tuple[float, float]:
    sign = 1.0 if objective.larger_is_better else -1.0
    return mean_and_interval([sign * (x - y) for x, y in zip(a.values, b.values, strict=True)])
