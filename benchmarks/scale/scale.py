"""What the platform itself costs as workers, runs and trials grow in number.

    bash benchmarks/scale/run [--only PART ...] [--repeat N]

Prints a line for each goal and exits 1 when one is missed. Each part that was measured replaces
its entry in results.json, with its own date, command and load; results.md is the same as tables.
docs/scaling.md computes from them what larger clusters would see.
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

HERE = Path(__file__).parent
# goals.py, processes.py and the sweep of 1,000 trials are those of the tuning benchmark
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "tuning")]

from goals import Found  # noqa: E402
from machine import load_average, machine  # noqa: E402
from table import page  # noqa: E402

RESULTS, TABLE = HERE / "results.json", HERE / "results.md"
PARTS = {
    "cost": "cost of a worker whose training step is empty",
    "messages": "messages and bytes through the driver",
    "checkpoint": "what a checkpoint takes",
    "listing": "`trivium runs` with 10,000 runs in the store",
    "copies": "up to 10,000 copies of an environment in one process",
    "sweep": "a sweep of 1,000 trials that do nothing",
}
"""Name, which is that of its file and function, and what it measures."""


def main() -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeat", type=int, help="repetitions, instead of a part's own")
    parser.add_argument("--no-record", action="store_true", help="leave the results as they are")
    args = parser.parse_args()
    is_reached = True
    for name in args.only:
        record = _measure(name, args.repeat)
        is_reached = is_reached and record["reached"]
        if not args.no_record:
            _merge(name, record)
    return 0 if is_reached else 1


def _measure(name: str, repeat: int | None) -> dict[str, Any]:
    part: Callable[..., Found] = getattr(importlib.import_module(name), name)
    load = round(load_average(), 2)
    print(f"\n{name}: {PARTS[name]}", flush=True)
    if load > 0.5:
        print(f"warning: other work runs here (load {load}): noisy figures")
    began = time.perf_counter()
    found = part(repeat) if repeat is not None else part()
    for goal in found.goals:
        print(goal.row(), flush=True)
    return {
        "what": PARTS[name],
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["bash", "benchmarks/scale/run", *sys.argv[1:]]),
        "machine": machine(),
        "load_average_before": load,
        "whole_s": round(time.perf_counter() - began),
        "reached": all(g.is_reached for g in found.goals),
        "goals": [g.as_dict() for g in found.goals],
        "figures": found.figures,
    }


def _merge(name: str, record: dict[str, Any]) -> None:
    """Written after each part, so that one that fails loses no other."""
    before = json.loads(RESULTS.read_text())["parts"] if RESULTS.exists() else {}
    parts = before | {name: record}
    ordered = {k: parts[k] for k in PARTS if k in parts}
    RESULTS.write_text(json.dumps({"parts": ordered}, indent=1) + "\n")
    TABLE.write_text(page(ordered), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
