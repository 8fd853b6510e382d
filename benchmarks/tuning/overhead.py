"""What a trial that does nothing costs: as a whole sweep beside peers, and how it grows."""

import sys
import tempfile
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from goals import Found, Goal
from processes import HERE, Ran, children_of, run, trivium

OF_RAY_TUNE = 0.15
OF_SHORT = 1.3
SUBJECTS = ("trivium", "ray tune", "optuna")
JOB = """\
algorithm: {{name: "{file}:Parabola"}}
tune:
  num_trials: {trials}
  max_concurrent: 2
  final: {{top: 0}}
  space: {{algorithm.x: {{uniform: [-5, 5]}}}}
"""


def trivial(repetitions: int = 3, trials: int = 50) -> Found:
    """Whole processes, imports and Ray's start included, each second repetition in reverse."""
    times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for repetition in range(repetitions):
        for name in SUBJECTS if repetition % 2 == 0 else SUBJECTS[::-1]:
            with tempfile.TemporaryDirectory() as folder:
                times[name].append(_sweep(name, trials, Path(folder)).seconds)
            print(f"  {name:<10}{trials:>6} trials {times[name][-1]:8.2f} s", flush=True)
    ratios = [a / b for a, b in zip(times["trivium"], times["ray tune"], strict=True)]
    what = f"{trials} trivial trials, seconds of the process, Trivium / stock Ray Tune"
    goal = Goal(what, median(ratios), at_most=OF_RAY_TUNE)
    rounded = {k: [round(t, 2) for t in v] for k, v in times.items()}
    return Found([goal], {"trials": trials, "seconds": rounded})


def growth(few: int = 100, many: int = 1000) -> Found:
    """Seconds a trial, start and end of the process left out: a long sweep against a short one.

    With the start counted, which is shared by more trials, the ratio would be far below 1.
    """
    figures: dict[str, dict[str, float]] = {}
    for count in (few, many):
        with tempfile.TemporaryDirectory() as folder:
            ran = _sweep("trivium", count, Path(folder))
            ends = sorted(str(c["ended"]) for c in children_of(Path(folder) / "runs/parabola-1"))
        moments = [_seconds_of(e) for e in ends]
        gaps = [b - a for a, b in pairwise(moments)]
        figures[str(count)] = {
            "process_s": round(ran.seconds, 2),
            "trial_ms": round(1000 * (moments[-1] - moments[0]) / (count - 1), 2),
            "process_ms_a_trial": round(1000 * ran.seconds / count, 2),
            "last_hundred_ms": round(1000 * sum(gaps[-100:]) / len(gaps[-100:]), 2),
        }
        print(f"  {count:>6} trials: {figures[str(count)]}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        alone = {c: _sweep("optuna", c, Path(folder)).seconds for c in (few, many)}
    figures["optuna alone, process_s"] = {str(c): round(s, 2) for c, s in alone.items()}
    ratio = figures[str(many)]["trial_ms"] / figures[str(few)]["trial_ms"]
    what = f"seconds a trial, from the first trial's end to the last's, {many:,} trials / {few}"
    return Found([Goal(what, ratio, at_most=OF_SHORT)], figures)


def _sweep(subject: str, trials: int, folder: Path) -> Ran:
    if subject == "trivium":
        job = folder / "parabola.yaml"
        job.write_text(JOB.format(file=HERE / "parabola.py", trials=trials))
        return run(trivium("tune", str(job), "--store", str(folder / "runs")), folder)
    peer = {"ray tune": "ray_tune.py", "optuna": "optuna_alone.py"}[subject]
    return run([sys.executable, str(HERE / "peers" / peer), str(trials)], folder)


def _seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
