"""A sweep's page: the final, the best trials, importance, history, slices, learning curves."""

from collections.abc import Sequence
from statistics import fmean

from trivium.platform.exhibit import Exhibit, Lines, Note, Table
from trivium.platform.lean_import import import_without
from trivium.platform.run import RunFolder
from trivium.tuning.finals import Verdict
from trivium.tuning.objective import Objective
from trivium.tuning.plan import Plan, read_plan
from trivium.tuning.progress import short_name
from trivium.tuning.trials import TrialRow, ranked

TOP = 10


def exhibits(
    run: RunFolder, plan: Plan, rows: Sequence[TrialRow], verdict: Verdict | None
) -> list[Exhibit]:
    """The sweep's page: the final, the best, importance, history, slices, learning curves."""
    best = ranked(rows, plan.objective)
    shown: list[Exhibit] = []
    if verdict is not None:
        shown.append(Note("Final", ". ".join(verdict.sentences(plan.objective.metric)) + "."))
        shown.append(_final_table(verdict))
    shown.append(_top_table(best, plan.objective))
    shares = importances(run) if len(best) >= 4 else {}
    if shares:
        note = "Share of the variance of the value that the setting explains (PED-ANOVA, Optuna)."
        rows_ = tuple((name, round(share, 4)) for name, share in shares.items())
        shown.append(Table("Importance", ("setting", "share"), rows_, note))
    shown.append(history(rows, plan.objective))
    shown += parallel_coordinates(best[:TOP], plan)
    shown += slices(rows)
    shown += learning_curves(run, best[:TOP], plan.objective)
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


def parallel_coordinates(best: Sequence[TrialRow], plan: Plan) -> list[Exhibit]:
    """A line for each of the best trials through the settings that all of them have, and the value.

    Every axis runs from the lowest (0) to the highest (1) of what is searched.
    """
    shared = [d for d in plan.space.dimensions if all(d.path in r.point for r in best)]
    values = [r.value for r in best if r.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if len(values) < 2 or not shared or low == high:
        return []
    paths = {d.path: None for d in shared}
    axes = [short_name(d.path, paths) for d in shared] + [plan.objective.metric]
    label = ", ".join(f"{i} {name}" for i, name in enumerate(axes, start=1))
    lines = {
        f"trial {row.number}": (
            *(d.position(row.point[d.path]) for d in shared),
            (value - low) / (high - low),
        )
        for row, value in zip(best, values, strict=True)
    }
    x = tuple(float(i) for i in range(1, len(axes) + 1))
    return [Lines("Parallel coordinates of the best trials", label, x, lines)]


def slices(rows: Sequence[TrialRow]) -> list[Exhibit]:
    """The value over each searched number; over choices a table of means."""
    paths = dict.fromkeys(p for r in rows for p in r.point)
    shown: list[Exhibit] = []
    for path in paths:
        pairs = [(r.point[path], r.value) for r in rows if path in r.point and r.value is not None]
        numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x, _ in pairs)
        if len(pairs) < 2:
            continue
        if numeric:
            ordered = sorted((float(x), y) for x, y in pairs)
            xs, ys = zip(*ordered, strict=True)
            shown.append(Lines(f"Slice: {path}", path, xs, {"value": ys}))
        else:
            groups: dict[str, list[float]] = {}
            for x, y in pairs:
                groups.setdefault(str(x), []).append(y)
            cells = tuple((k, len(v), fmean(v), max(v), min(v)) for k, v in groups.items())
            columns = (path, "trials", "mean", "highest", "lowest")
            shown.append(Table(f"Slice: {path}", columns, cells))
    return shown


def learning_curves(
    run: RunFolder, best: Sequence[TrialRow], objective: Objective
) -> list[Exhibit]:
    """The metric over reports of the best trials, on the reports that all of them have."""
    curves: dict[str, list[float]] = {}
    for row in best:
        records = RunFolder(run.path / "children" / str(row.number)).metrics()
        values = [r[objective.metric] for r in records if r.get(objective.metric) is not None]
        if len(values) > 1:
            curves[f"trial {row.number}"] = values
    if not curves:
        return []
    length = min(len(v) for v in curves.values())
    lines = {name: tuple(values[:length]) for name, values in curves.items()}
    x = tuple(float(i + 1) for i in range(length))
    return [Lines(f"{objective.metric} of the best trials", "report", x, lines)]


def importances(run: RunFolder) -> dict[str, float]:
    """Share of the value's variance that each setting explains, the largest first; Optuna's."""
    import warnings

    from trivium.tuning.study import load_study

    # Its fANOVA, which is not used, would import all of scikit-learn: 1.4 s of every sweep's end.
    importance = import_without("optuna.importance", "sklearn")
    study = load_study(run, read_plan(run).settings.storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            evaluator = importance.PedAnovaImportanceEvaluator()
            return dict(importance.get_param_importances(study, evaluator=evaluator))
        except (ValueError, RuntimeError):  # too few trials, or all values equal
            return {}


def _final_table(verdict: Verdict) -> Table:
    gains = [(0.0, 0.0), *verdict.differences]
    rows = tuple(
        (c.name, c.mean, c.half_width, *((-g, h) if g or h else ("", "")))
        for c, (g, h) in zip((verdict.winner, *verdict.others), gains, strict=True)
    )
    note = "Means over fresh seeds with their 95% intervals; differences are paired by seed."
    columns = ("settings", "mean", "+/-", "against the winner", "+/- ")
    return Table("Final on fresh seeds", columns, rows, note)


def _top_table(best: Sequence[TrialRow], objective: Objective) -> Table:
    paths = dict.fromkeys(p for r in best for p in r.point)
    columns = ("trial", "status", objective.metric, *(short_name(p, paths) for p in paths))
    rows = tuple(
        (
            r.number,
            r.status,
            r.value if r.value is not None else "",
            *(_cell(r.point.get(p, "")) for p in paths),
        )
        for r in best[:TOP]
    )
    return Table(f"Best {len(rows)} trials", columns, rows)


def _cell(value: object) -> str | float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return value
