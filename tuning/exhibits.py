"""A sweep's page: the final, the best trials, importance, history, slices, learning curves."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from trivium.platform.exhibit import Exhibit, Lines, Note, Points, Table
from trivium.platform.run import RunFolder
from trivium.tuning.finals import Verdict
from trivium.tuning.objective import Objective
from trivium.tuning.plan import Plan
from trivium.tuning.progress import short_name
from trivium.tuning.takeover import stages_of
from trivium.tuning.trials import TrialRow, pareto_front, ranked

TOP = 10
NAMED = 5
"""Trials with a colour of their own in charts of all trials."""
DRAWN = 100
"""Trials in such a chart at most."""
STOPPED = "stopped early"


def exhibits(
    run: RunFolder,
    plan: Plan,
    rows: Sequence[TrialRow],
    verdict: Verdict | None,
    shares: Mapping[str, Mapping[str, float]],
) -> list[Exhibit]:
    """The sweep's page: the final, the best, importance, history, slices, learning curves.

    `shares` says of each aim what each setting explains.
    """
    aims = plan.objectives
    best = ranked(rows, plan.objective)
    shown: list[Exhibit] = []
    if len(aims) > 1:
        shown += fronts(rows, aims)
    if verdict is not None:
        said = (s[0].upper() + s[1:] for s in verdict.sentences(plan.objective.metric))
        shown.append(Note("Final", ". ".join(said) + "."))
        shown.append(_final_table(verdict))
    shown.append(_top_table(best, aims))
    if best:
        shown += stages_table(run, best[0])
    for metric, explained in shares.items():
        note = f"Share of the variance of {metric} that a setting explains (PED-ANOVA)."
        cells = tuple((name, round(share, 4)) for name, share in explained.items())
        title = "Importance" if len(aims) == 1 else f"Importance for {metric}"
        shown.append(Table(title, ("setting", "share"), cells, note))
    shown.append(history(rows, plan.objective))
    shown += parallel_coordinates(best, plan)
    by_log = [d.path for d in plan.space.dimensions if d.distribution.kind.startswith("log")]
    shown += slices(rows, plan.objective, by_log)
    shown += learning_curves(run, rows, plan.objective)
    failed = [(r.number, r.error) for r in rows if r.status == "failed"]
    if failed:
        shown.append(Table("Failed trials", ("trial", "reason"), tuple(failed)))
    return shown


def history(rows: Sequence[TrialRow], objective: Objective) -> Lines:
    """The value of each trial and the best so far, in the order of the trials."""
    valued = [r for r in rows if r.value is not None and r.status != "failed"]
    values = [r.value for r in valued if r.value is not None]
    best: list[float] = []
    for value in values:
        better = objective.better(best[-1] if best else None, value)
        assert better is not None
        best.append(better)
    return Lines(
        "Optimization history",
        "trial",
        tuple(float(r.number) for r in valued),
        {objective.metric: tuple(values), "best so far": tuple(best)},
    )


def parallel_coordinates(rows: Sequence[TrialRow], plan: Plan) -> list[Exhibit]:
    """A line for each trial, the best first, through the settings that all have, and the value.

    Every axis runs from the lowest (0) to the highest (1) of what is searched.
    """
    whole = [r for r in rows if r.value is not None][:DRAWN]
    shared = [d for d in plan.space.dimensions if all(d.path in r.point for r in whole)]
    values = [r.value for r in whole if r.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if len(values) < 2 or not shared or low == high:
        return []
    paths = {d.path: None for d in shared}
    axes = [short_name(d.path, paths) for d in shared] + [plan.objective.metric]
    label = ", ".join(f"{i} {name}" for i, name in enumerate(axes, start=1))
    groups: dict[str, tuple[tuple[float, float], ...]] = {}
    others: list[tuple[float, float]] = []
    for place, (row, value) in enumerate(zip(whole, values, strict=True)):
        heights = [d.position(row.point[d.path]) for d in shared] + [(value - low) / (high - low)]
        points = [(float(i), h) for i, h in enumerate(heights, start=1)]
        if place < NAMED:
            groups[f"trial {row.number}"] = tuple(points)
        else:
            others += points
    groups |= {"other trials": tuple(others)} if others else {}
    return [Points("Parallel coordinates", label, "lowest 0, highest 1", groups, is_joined=True)]


def fronts(rows: Sequence[TrialRow], aims: Sequence[Objective]) -> list[Exhibit]:
    """Every trial by the first aim and each of the others; those of the Pareto front stand out."""
    whole = [r for r in rows if len(r.values) == len(aims)]
    front = {r.number for r in pareto_front(rows, aims)}
    if not front:
        return []
    shown: list[Exhibit] = []
    for place, other in enumerate(aims[1:], start=1):
        groups = {
            "Pareto front": tuple(
                (r.values[place], r.values[0]) for r in whole if r.number in front
            ),
            "other trials": tuple(
                (r.values[place], r.values[0]) for r in whole if r.number not in front
            ),
        }
        shown.append(Points("Pareto front", other.metric, aims[0].metric, groups))
    return shown


def slices(
    rows: Sequence[TrialRow], objective: Objective, by_log: Sequence[str] = ()
) -> list[Exhibit]:
    """The value over each searched number, some by their logarithm; over choices a table."""
    paths = dict.fromkeys(p for r in rows for p in r.point)
    shown: list[Exhibit] = []
    for path in paths:
        pairs = [
            (r.point[path], r.value, r.status)
            for r in rows
            if path in r.point and r.value is not None and r.status != "failed"
        ]
        if len(pairs) < 2:
            continue
        if all(isinstance(x, int | float) and not isinstance(x, bool) for x, _, _ in pairs):
            groups = {
                "trained to its end": tuple((x, y) for x, y, s in pairs if s != STOPPED),
                "stopped early": tuple((x, y) for x, y, s in pairs if s == STOPPED),
            }
            is_log = path in by_log
            shown.append(Points(f"Slice: {path}", path, objective.metric, groups, is_log=is_log))
        else:
            by_choice: dict[str, list[float]] = {}
            for x, y, _ in pairs:
                by_choice.setdefault(str(x), []).append(y)
            cells = tuple((k, len(v), fmean(v), max(v), min(v)) for k, v in by_choice.items())
            columns = (path, "trials", "mean", "highest", "lowest")
            shown.append(Table(f"Slice: {path}", columns, cells))
    return shown


def learning_curves(
    run: RunFolder, rows: Sequence[TrialRow], objective: Objective
) -> list[Exhibit]:
    """The metric of every trial over its reports; the best are named, the others are one group."""
    groups: dict[str, tuple[tuple[float, float], ...]] = {}
    others: list[tuple[float, float]] = []
    for place, row in enumerate(ranked(rows, objective)[:DRAWN]):
        records = RunFolder(run.path / "children" / str(row.number)).metrics()
        values = [r[objective.metric] for r in records if r.get(objective.metric) is not None]
        points = [(float(i), v) for i, v in enumerate(values, start=1)]
        if place < NAMED:
            groups[f"trial {row.number}"] = tuple(points)
        else:
            others += points
    if all(len(points) < 2 for points in groups.values()):
        return []
    groups |= {"other trials": tuple(others)} if others else {}
    title = "Learning curves" if len(rows) <= DRAWN else f"Learning curves of the best {DRAWN}"
    return [Points(title, "report", objective.metric, groups, is_joined=True)]


def stages_table(run: RunFolder, best: TrialRow) -> list[Exhibit]:
    """Which settings the best trial used when, where they changed while it trained."""
    stages = stages_of(RunFolder(run.path / "children" / str(best.number)))
    if len(stages) < 2:
        return []
    paths = dict.fromkeys(p for s in stages for p in s.settings)
    columns = ("from report", "from step", "trained by", *(short_name(p, paths) for p in paths))
    cells = tuple(
        (s.reports, s.step, f"trial {s.trial}", *(_cell(s.settings.get(p, "")) for p in paths))
        for s in stages
    )
    note = "Each row holds until the next one; together they are how this model was trained."
    return [Table(f"Settings of trial {best.number} over time", columns, cells, note)]


def _final_table(verdict: Verdict) -> Table:
    gains = [(0.0, 0.0), *verdict.differences]
    rows = tuple(
        (c.name, c.mean, c.half_width, *((-g, h) if g or h else ("", "")))
        for c, (g, h) in zip((verdict.winner, *verdict.others), gains, strict=True)
    )
    note = "Means over fresh seeds with their 95% intervals; differences are paired by seed."
    columns = ("settings", "mean", "+/-", "against the winner", "+/- ")
    return Table("Final on fresh seeds", columns, rows, note)


def _top_table(best: Sequence[TrialRow], aims: Sequence[Objective]) -> Table:
    """The best ten by the first aim, with what they reached in all."""
    paths = dict.fromkeys(p for r in best for p in r.point)
    names = [aim.metric for aim in aims]
    columns = ("trial", "status", *names, *(short_name(p, paths) for p in paths))
    rows = tuple(
        (
            r.number,
            r.status,
            *_reached(r, len(aims)),
            *(_cell(r.point.get(p, "")) for p in paths),
        )
        for r in best[:TOP]
    )
    return Table(f"Best {len(rows)} trials", columns, rows)


def _reached(row: TrialRow, num_aims: int) -> tuple[str | float, ...]:
    """A trial that ended before the other aims were measured has the first one alone."""
    if row.values:
        return row.values
    return ("" if row.value is None else row.value, *[""] * (num_aims - 1))


def _cell(value: object) -> str | float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return value
