"""Sweeps side by side with stock Ray Tune, Optuna alone and RL Zoo's tuner.

    bash benchmarks/tuning/run [--only PART ...] [--repeat N]

Prints a table and exits 1 when a goal is missed. Each part that was measured replaces its entry
in results.json, with its own date, command and load; the others stay as they were.
"""

import argparse
import importlib
import json
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from goals import Found
from machine import load_average, machine
from processes import HERE

RESULTS = HERE / "results.json"
PARTS = {
    "trivial": ("overhead", "50 trials that do nothing: Trivium, stock Ray Tune, Optuna alone"),
    "growth": ("overhead", "a trial among 1,000 against one among 100"),
    "cores": ("cores", "how busy a sweep keeps the cores"),
    "quality": ("quality", "what searches find: TPE, random, Optuna's own TPE"),
    "cartpole": ("cartpole", "time to settings that solve CartPole: Trivium, RL Zoo's tuner"),
}
"""Name, which is that of its function: the file with the function, and what it measures."""


def main() -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeat", type=int, help="repetitions or seeds, instead of a part's own")
    args = parser.parse_args()
    is_reached = True
    for name in args.only:
        record = _measure(name, args.repeat)
        is_reached = is_reached and record["reached"]
        _merge(name, record)
    return 0 if is_reached else 1


def _measure(name: str, repeat: int | None) -> dict[str, Any]:
    module, what = PARTS[name]
    part: Callable[..., Found] = getattr(importlib.import_module(module), name)
    load = round(load_average(), 2)
    print(f"\n{name}: {what}", flush=True)
    if load > 0.5:
        print(f"warning: other work runs here (load {load}): noisy figures")
    began = time.perf_counter()
    found = part(repeat) if repeat is not None and name != "growth" else part()
    for goal in found.goals:
        print(goal.row())
    return {
        "what": what,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["bash", "benchmarks/tuning/run", *sys.argv[1:]]),
        "load_average_before": load,
        "whole_s": round(time.perf_counter() - began),
        "reached": all(g.is_reached for g in found.goals),
        "goals": [g.as_dict() for g in found.goals],
        "figures": found.figures,
    }


def _merge(name: str, record: dict[str, Any]) -> None:
    """Written after each part, so that one that fails loses no other."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parts = before.get("parts", {}) | {name: record}
    ordered = {k: parts[k] for k in PARTS if k in parts}
    content = {"machine": machine(), "parts": ordered}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
