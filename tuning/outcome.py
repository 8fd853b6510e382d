"""How a sweep stands and how it ended: result.json, and what `runs` and `show` say of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from trivium.platform.errors import UserError
from trivium.platform.exhibit import to_json
from trivium.platform.interval import mean_and_interval
from trivium.platform.job import Job
from trivium.platform.phrasing import duration, number
from trivium.platform.run import RunFolder, write_json
from trivium.tuning.exhibits import TOP, exhibits
from trivium.tuning.finals import OWN, Verdict, judge
from trivium.tuning.importance import importances
from trivium.tuning.objective import Objective
from trivium.tuning.plan import Plan, read_plan, read_sweep, tune_settings
from trivium.tuning.progress import in_short
from trivium.tuning.rounds import read_rounds
from trivium.tuning.space import Space, job_with
from trivium.tuning.takeover import Stage, stages_of
from trivium.tuning.trials import (
    TrialRow,
    aims_of,
    children_of,
    objective_of,
    pareto_front,
    ranked,
    trial_rows,
)


def write_outcome(run: RunFolder, plan: Plan, wall_time_s: float) -> None:
    """Write result.json and exhibits.json from what the trials left; nothing when none has a value.

    The time is that of this process: a resumed sweep adds to what it took before.
    """
    rows = trial_rows(run)
    best = best_of(rows, plan.objectives)
    if not best:
        return
    verdict = judge(run, plan.objective)
    before = float(run.result.get("wall_time_s", 0.0))
    result: dict[str, Any] = {
        "best_trial": best[0].number,
        "best_value": best[0].value,
        "settings": dict(best[0].point),
        "trials": dict(Counter(r.status for r in rows)),
        "importance": _importance(rows, plan.space, plan.objectives),
        **_scores(run, plan.objective, best[0], verdict),
        "wall_time_s": round(before + wall_time_s, 3),
        "best_step": None,
        "checkpoint": f"children/{best[0].number}/checkpoints/best",
    }
    if len(plan.objectives) > 1:
        names = [o.metric for o in plan.objectives]
        result["front"] = [
            {"trial": r.number, "settings": dict(r.point)} | dict(zip(names, r.values, strict=True))
            for r in best
        ]
    write_json(run.path / "result.json", result)
    shown = exhibits(run, plan, rows, verdict, result["importance"])
    write_json(run.path / "exhibits.json", to_json(shown))


def sections(run: RunFolder) -> list[tuple[str, list[tuple[str, str]]]]:
    """What `trivium show SWEEP` says besides what it says of any run: (title, (label, text))."""
    objective, content = objective_of(run), read_sweep(run)
    rows, aims = trial_rows(run), aims_of(run)
    best = best_of(rows, aims)
    found = [("Sweep", _standing(run, rows, best, aims, content))]
    if best and len(aims) > 1:
        found.append(("Pareto front", [(f"trial {r.number}", _in_aims(r, aims)) for r in best]))
    elif best:
        top = [
            (f"trial {r.number}", f"{number(r.value)}   {in_short(r.point)}") for r in best[:TOP]
        ]
        found.append((f"Best {len(top)} by {objective.metric}", top))
    space = Space(tune_settings(run).space)
    known = run.result.get("importance") if run.status != "running" else None
    shares = _importance(rows, space, aims) if known is None else known
    found += [
        (
            "Importance" if len(aims) == 1 else f"Importance for {metric}",
            [(name, f"{share:.0%}") for name, share in explained.items()],
        )
        for metric, explained in shares.items()
    ]
    if best and (stages := stages_of(RunFolder(run.path / "children" / str(best[0].number))))[1:]:
        said = [(f"from report {s.reports}", _stage_in_words(s)) for s in stages]
        found.append((f"Settings of trial {best[0].number} over time", said))
    if best:
        found.append(("Not explored", _unexplored(space, rows)))
    verdict = judge(run, objective)
    if verdict is not None:
        found.append(("Final", [("", s) for s in verdict.sentences(objective.metric)]))
    return found


def parts(run: RunFolder) -> str:
    """`12/30 trials, 1 failed, 4 min left`: a sweep's place in `trivium runs`."""
    total = int(read_sweep(run)["num_trials"])
    statuses: Counter[str] = Counter(run.result.get("trials", {}))
    if run.status != "finished":
        children = [c for c in children_of(run) if c.path.name.isdigit()]
        statuses = Counter(str(c.info.get("status")) for c in children)
    ended = sum(1 for _ in run.metrics())
    said = f"{ended}/{total} trials"
    if statuses["failed"]:
        said += f", {statuses['failed']} failed"
    if run.status == "running" and (rounds := read_rounds(run)):
        said += f", round {len(rounds)}"
    if run.status == "running" and 0 < ended < total:
        said += f", {duration(_left_s(run, ended, total))} left"
    return said


def best_of(rows: Sequence[TrialRow], aims: Sequence[Objective]) -> list[TrialRow]:
    """Trials by rank; with several aims the Pareto front."""
    return pareto_front(rows, aims) if len(aims) > 1 else ranked(rows, aims[0])


def job_of(run: RunFolder, trial: str | None = None) -> Job:
    """The full job with the settings of a trial of the sweep; None is the sweep's winner.

    Raises:
        UserError: the run is no sweep, or has no such trial.
    """
    plan = read_plan(run)
    row = _chosen(run, trial)
    if row is not None and len(stages_of(RunFolder(run.path / "children" / str(row.number)))) > 1:
        raise UserError(
            f"the settings of trial {row.number} changed while it trained, so that no job has "
            f"them; its trained model is a run of its own: trivium evaluate {run.id}/{row.number}"
        )
    job = job_with(plan.data, row.point if row else {}, plan.job.name)
    made = job.model_copy(update={"name": plan.job.name})
    made._base = plan.job.base
    return made


def _chosen(run: RunFolder, trial: str | None) -> TrialRow | None:
    """The trial that is asked for, None for the job's own settings."""
    rows, aims = trial_rows(run), aims_of(run)
    if trial is None:
        winner = run.result.get("winner")
        if winner == OWN:
            return None
        best = best_of(rows, aims)
        if winner is None and not best:
            raise UserError(f"{run.id} has no trial with a value yet")
        if len(aims) > 1 and len(best) > 1:
            numbers = ", ".join(str(r.number) for r in best)
            raise UserError(
                f"{run.id} has several aims and no winner: choose of its Pareto front by --trial "
                f"({numbers}; `trivium show {run.id}`)"
            )
        trial = str(winner if winner is not None else best[0].number)
    found = next((r for r in rows if str(r.number) == trial), None)
    if found is None:
        numbers = f"0 to {rows[-1].number}" if rows else "none yet"
        raise UserError(f"{run.id} has no trial {trial} (trials: {numbers})")
    return found


def _scores(
    run: RunFolder, objective: Objective, best: TrialRow, verdict: Verdict | None
) -> dict[str, Any]:
    """`metrics` and what stands beside it: of the winner over fresh seeds, else of the best."""
    if verdict is None:
        child = RunFolder(run.path / "children" / str(best.number))
        others = child.result.get("metrics", {})
        own: dict[str, float | None] = {objective.metric: best.value}
        return {"winner": None, "metrics": own | {k: v for k, v in others.items() if k not in own}}
    winner = verdict.winner
    metrics, intervals = {objective.metric: winner.mean}, {objective.metric: winner.half_width}
    finals = [c for c in children_of(run) if c.path.name.startswith(f"{winner.of}-seed")]
    scored: list[Mapping[str, float]] = [c.result.get("metrics", {}) for c in finals]
    for name in scored[0]:
        if name not in metrics and all(name in s for s in scored):
            metrics[name], intervals[name] = mean_and_interval([s[name] for s in scored])
    return {
        "winner": winner.of,
        "metrics": metrics,
        "interval_95": intervals,
        "num_seeds": len(winner.values),
        "final": verdict.sentences(objective.metric),
    }


def _standing(
    run: RunFolder,
    rows: Sequence[TrialRow],
    best: Sequence[TrialRow],
    aims: Sequence[Objective],
    content: Mapping[str, Any],
) -> list[tuple[str, str]]:
    by_status = Counter(r.status for r in rows)
    statuses = ", ".join(f"{count} {status}" for status, count in by_status.items())
    said = [
        ("trials", parts(run) + (f" ({statuses})" if statuses else "")),
        *(
            (
                "aim" if place == 0 else "",
                f"{aim.metric}, {'more' if aim.larger_is_better else 'less'} is better",
            )
            for place, aim in enumerate(aims)
        ),
        ("searched", ", ".join(content["searched"])),
    ]
    if best and len(aims) == 1:
        said.append(("best so far", f"{number(best[0].value)} in trial {best[0].number}"))
    return said


def _in_aims(row: TrialRow, aims: Sequence[Objective]) -> str:
    values = zip(aims, row.values, strict=True)
    said = ", ".join(f"{aim.metric} {number(value)}" for aim, value in values)
    return f"{said}   {in_short(row.point)}"


def _stage_in_words(stage: Stage) -> str:
    return f"{in_short(stage.settings)}   (trained by trial {stage.trial})"


def _importance(
    rows: Sequence[TrialRow], space: Space, aims: Sequence[Objective]
) -> dict[str, dict[str, float]]:
    """Of each aim of which something can be told."""
    found = {aim.metric: importances(rows, space, aims, place) for place, aim in enumerate(aims)}
    return {metric: shares for metric, shares in found.items() if shares}


def _unexplored(space: Space, rows: Sequence[TrialRow]) -> list[tuple[str, str]]:
    """Choices that no trial had, and the ends of ranges farther than a tenth from any trial."""
    said: list[tuple[str, str]] = []
    for dimension in space.dimensions:
        tried = [r.point[dimension.path] for r in rows if dimension.path in r.point]
        gap = dimension.unexplored(tried)
        if gap:
            said.append((dimension.path, gap))
    return said or [("", "every choice and both ends of every range were tried")]


def _left_s(run: RunFolder, ended: int, total: int) -> float:
    return float(run.metrics()[-1]["time_s"]) / ended * (total - ended)
