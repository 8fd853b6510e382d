"""What goes through the driver: messages and bytes, of 1 to 8 workers, of short and long runs.

The driver is the process of the command, which has Ray Train's controller. Two lengths tell what a
run sends once from what it goes on sending.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from goals import Found, Goal
from processes import run
from training import HERE, STEPS_PER_EPOCH, Trained, read_workers, write_job

COUNTS = (1, 2, 4, 8)
STEPS = (2000, 6000)
POLL = "poll_status"
INTERVAL_S = 0.5
"""Of a Ray of our own: RAY_TRAIN_HEALTH_CHECK_INTERVAL_S in trainers/local_ray.py. Joined: 2."""
MORE_BYTES = 1.2
"""How much more a poll of one of 8 workers may take than that of one of 2."""


def messages(repetitions: int = 1) -> Found:
    """See the module's head; one repetition counts all there is to count."""
    rows = []
    for count in COUNTS:
        for steps in STEPS:
            rows.append(max((_once(count, steps) for _ in range(repetitions)), key=_polls))
            print(f"  {rows[-1]}", flush=True)
    return Found(_goals(rows), {"interval_s": INTERVAL_S, "rows": rows})


def _once(count: int, steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
        folder = Path(name)
        job = write_job(folder, count, steps)
        command = [sys.executable, str(HERE / "counted.py"), str(folder / "counts"), "train"]
        run([*command, str(job), "--store", str(folder / "runs")], folder)
        lines = [json.loads(line) for line in (folder / "counts").open()]
        trained = read_workers(folder, count)
        return {"workers": count, "steps": steps, **_told(lines, trained, folder / "runs/empty-1")}


def _told(lines: list[dict[str, Any]], trained: Trained, run: Path) -> dict[str, Any]:
    began, ended = trained.window
    within = [line for line in lines if began <= line["at"] <= ended]
    # One worker alone may be done between two counts: nothing passed the driver then.
    within = within or [line for line in lines if line["at"] <= ended][-1:]
    first, last, count = within[0], within[-1], len(trained.workers)
    seconds = last["at"] - first["at"] or ended - began
    during = Counter(last["calls"])
    during.subtract(first["calls"])
    polls = during.pop(POLL, 0)
    sent, received = last["sent"] - first["sent"], last["received"] - first["received"]
    metrics = (run / "metrics.jsonl").read_bytes()
    return {
        "seconds": round(seconds, 2),
        "polls": polls,
        "polls_per_worker_and_interval": round(polls / count / (seconds / INTERVAL_S + 1), 3),
        "other_calls_while_training": sum(during.values()),
        "calls_of_the_run_but_polls": sum(lines[-1]["calls"].values())
        - lines[-1]["calls"].get(POLL, 0),
        "reports_through_the_driver": lines[-1]["reports"],
        "bytes_per_worker_and_interval": round((sent + received) / count / seconds * INTERVAL_S),
        "bytes_of_the_run": lines[-1]["sent"] + lines[-1]["received"],
        "driver_cpu_ms_per_poll": round(1000 * (last["cpu_s"] - first["cpu_s"]) / polls, 3)
        if polls
        else 0.0,
        "worker_bytes_per_step": round(trained.mean("tcp_sent")),
        "metrics_lines_per_epoch": metrics.count(b"\n") / (last_step(trained) / STEPS_PER_EPOCH),
        "metrics_bytes_per_line": round(len(metrics) / metrics.count(b"\n")),
    }


def last_step(trained: Trained) -> int:
    """Steps that rank 0 did."""
    return int(trained.workers[0].lines[-1]["step"])


def _polls(row: dict[str, Any]) -> float:
    return float(row["polls_per_worker_and_interval"])


def _goals(rows: list[dict[str, Any]]) -> list[Goal]:
    of = {(r["workers"], r["steps"]): r for r in rows}
    short, long = STEPS
    once = "calls_of_the_run_but_polls"
    more = max(of[c, long][once] - of[c, short][once] for c in COUNTS)
    fewest, most = COUNTS[1], COUNTS[-1]
    size = "bytes_per_worker_and_interval"
    lines = [r["metrics_lines_per_epoch"] for r in rows]
    return [
        Goal(
            f"messages to a worker in an interval of {INTERVAL_S:g} s, most of all runs",
            max(map(_polls, rows)),
            at_most=1.0,
        ),
        Goal(f"messages more in {long:,} steps than in {short:,}, polls apart", more, at_most=0),
        Goal(
            f"bytes for a worker in an interval, {most} workers / {fewest}",
            of[most, long][size] / of[fewest, long][size],
            at_most=MORE_BYTES,
        ),
        Goal("lines of metrics for an interval (an epoch), most", max(lines), at_most=1.0),
    ]
