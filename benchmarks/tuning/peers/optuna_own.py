"""Optuna's TPE by itself on the jobs of the comparison: its own study, its own suggestions.

Sampler and storage are Optuna's defaults but for the seed; nothing of Trivium chooses a point.
"""

from collections.abc import Callable
from typing import Any

import optuna

Point = dict[str, Any]


def branin_point(trial: optuna.Trial) -> Point:
    return {
        "algorithm.x": trial.suggest_float("algorithm.x", -5, 10),
        "algorithm.y": trial.suggest_float("algorithm.y", 0, 15),
    }


def hartmann6_point(trial: optuna.Trial) -> Point:
    return {f"algorithm.x{i}": trial.suggest_float(f"algorithm.x{i}", 0, 1) for i in range(1, 7)}


def digits_point(trial: optuna.Trial) -> Point:
    hidden = ("[8]", "[16]", "[32]", "[64]", "[128]", "[64, 64]")
    point = {
        "algorithm.optimizer.lr": trial.suggest_float("algorithm.optimizer.lr", 1e-5, 1, log=True),
        "algorithm.optimizer.weight_decay": trial.suggest_float(
            "algorithm.optimizer.weight_decay", 1e-6, 1, log=True
        ),
        "algorithm.batch_size": trial.suggest_int("algorithm.batch_size", 16, 512, log=True),
        "model.dropout": trial.suggest_float("model.dropout", 0, 0.8),
    }
    chosen = trial.suggest_categorical("model.hidden", hidden)
    return point | {"model.hidden": [int(n) for n in chosen.strip("[]").split(",")]}


POINTS: dict[str, Callable[[optuna.Trial], Point]] = {
    "branin": branin_point,
    "hartmann6": hartmann6_point,
    "digits-mlp": digits_point,
}


def search(task: str, seed: int, trials: int, value: Callable[[Point], float]) -> list[Point]:
    """The points that Optuna tries, in order."""
    tried: list[Point] = []

    def objective(trial: optuna.Trial) -> float:
        tried.append(POINTS[task](trial))
        found = value(tried[-1])
        return found

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    return tried
