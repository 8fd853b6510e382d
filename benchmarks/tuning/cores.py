"""How busy a supervised sweep keeps the cores, from its first trial's start to its last's end."""

import tempfile
from bisect import bisect_left
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from goals import Found, Goal
from machine import num_cores
from processes import HERE, children_of, run, trivium

BUSY = 0.9
SAMPLE_S = 0.1


def cores(repetitions: int = 2) -> Found:
    """CPU time of the sweep's tree of processes over that of all cores, read from /proc.

    The driver's own work and Ray's count as busy; `machine` is the same from /proc/stat.
    """
    rows = []
    for seed in range(repetitions):
        rows.append(_once(seed))
        print(f"  {rows[-1]}", flush=True)
    what = (
        f"digits, 30 trials, ASHA: share of {num_cores()} cores that is busy, first trial to last"
    )
    return Found([Goal(what, median(r["busy"] for r in rows), at_least=BUSY)], {"sweeps": rows})


def _once(seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        words = ("tune", str(HERE / "jobs/digits-asha.yaml"), "--set", f"seed={seed}")
        store = Path(folder) / "runs"
        ran = run(trivium(*words, "--store", str(store)), Path(folder), sample_s=SAMPLE_S)
        children = children_of(store / "digits-asha-1")
    began = min(_seconds(c["started"]) for c in children)
    ended = max(_seconds(c["ended"]) for c in children)
    times = [t for t, _, _ in ran.samples]
    first = ran.samples[bisect_left(times, began)]
    last = ran.samples[min(bisect_left(times, ended), len(times) - 1)]
    possible = (last[0] - first[0]) * num_cores()
    return {
        "seed": seed,
        "busy": round((last[1] - first[1]) / possible, 3),
        "machine": round((last[2] - first[2]) / possible, 3),
        "trials": len(children),
        "stopped_early": sum(c["status"] == "stopped" for c in children),
        "failed": sum(c["status"] == "failed" for c in children),
        "window_s": round(last[0] - first[0], 1),
        "process_s": round(ran.seconds, 1),
    }


def _seconds(moment: object) -> float:
    return datetime.fromisoformat(str(moment)).timestamp()
