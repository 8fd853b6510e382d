"""Do searches find what they should: TPE against random, and against Optuna's own TPE."""

import json
import math
import multiprocessing
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from goals import Found, Goal
from machine import num_cores
from processes import HERE, run, trivium

TASKS = ("branin", "hartmann6", "digits-mlp")
TRIALS = 60
SEEDS = 20


def quality(seeds: int = SEEDS) -> Found:
    """The best value after 60 trials, for each task, search and seed; less is better."""
    os.environ |= {"OMP_NUM_THREADS": "1"}  # two processes share the cores
    os.chdir(HERE)  # jobs name surfaces.py by its file
    work = [(task, seed) for seed in range(seeds) for task in TASKS[::-1]]
    found: dict[str, list[dict[str, Any]]] = {task: [] for task in TASKS}
    with multiprocessing.get_context("spawn").Pool(num_cores(), maxtasksperchild=20) as pool:
        for task, row in pool.imap(measure, work):
            found[task].append(row)
            print(f"  {task:<12}{row}", flush=True)
    figures: dict[str, Any] = {}
    goals = []
    for task, rows in found.items():
        searches = [k for k, v in rows[0].items() if isinstance(v, float)]
        medians = {s: median(r[s] for r in rows) for s in searches}
        same = sum(r["same_points"] and r["repeats_itself"] for r in rows) / len(rows)
        figures[task] = {"medians": medians, "by_seed": rows}
        gain = medians["random"] - medians["tpe"]
        what = f"{task}: median best, random minus TPE ({medians['random']:.4g}"
        goals.append(Goal(f"{what} minus {medians['tpe']:.4g})", gain, at_least=1e-12))
        what = f"{task}: share of seeds whose {TRIALS} points are Optuna's own to the last digit"
        goals.append(Goal(what, same, at_least=1.0))
    goals.append(_with_ray(figures))
    return Found(goals, figures)


def measure(work: tuple[str, int]) -> tuple[str, dict[str, Any]]:
    """All searches of one task with one seed, in this process."""
    from driven import key_of, open_plan, search, value_at
    from peers.optuna_own import search as optuna_search

    task, seed = work
    file = HERE / "jobs" / f"{task}.yaml"

    def plan_of(name: str) -> Any:
        return open_plan(file, (f"seed={seed}", f"tune.search={name}"))

    tpe = plan_of("bayesian")
    points, values = search(tpe)
    known = dict(zip(map(key_of, points), values, strict=True))
    train = value_at(tpe)
    others: list[float] = []

    def value(point: Any) -> float:
        # Training repeats itself to the last digit: a point that was trained is not trained again.
        key = key_of(point)
        others.append(known[key] if key in known else train(point))
        return others[-1]

    own = optuna_search(task, seed, TRIALS, value)
    again = train(points[-1])
    row = {
        "seed": seed,
        "tpe": _best(values),
        "random": _best(search(plan_of("random"))[1]),
        "optuna": _best(others),
        "same_points": [key_of(p) for p in own] == [key_of(p) for p in points],
        "repeats_itself": repr(again) == repr(values[-1]),
    }
    if task != "digits-mlp":  # it would take as long again
        row["tpe, 2 at once"] = _best(search(tpe, at_once=2)[1])
    return task, row


def _best(values: list[float]) -> float:
    """The least that is a number."""
    return min(v for v in values if not math.isnan(v))


def _with_ray(figures: dict[str, Any]) -> Goal:
    """One whole `trivium tune` with Ray: its points are those of the driven sweep."""
    from driven import key_of, open_plan, search

    file = HERE / "jobs" / "branin.yaml"
    points, _ = search(open_plan(file, ("seed=3",)))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs"
        words = ("tune", str(file), "--set", "seed=3", "--store", str(store))
        run(trivium(*words), HERE, log=Path(folder) / "output.txt")
        children = sorted((store / "branin-1/children").iterdir(), key=lambda p: int(p.name))
        infos = [json.loads((c / "run.json").read_text()) for c in children]
    same = [key_of(i["tune"]["settings"]) for i in infos] == [key_of(p) for p in points]
    figures["trivium tune with Ray, branin, seed 3"] = {"trials": len(infos), "same_points": same}
    what = f"trivium tune with Ray draws the points of the driven sweep ({len(infos)} trials)"
    return Goal(what, float(same), at_least=1.0)
