"""The cost of a trial that does nothing: Trivium, stock Ray Tune, Optuna alone, in one go.

    python benchmarks/tuning/compare.py [--trials 50] [--repetitions 3] [--long]

Each time is that of a whole process, imports and Ray's start included. Exits 1 when Trivium takes
more than 0.15 of stock Ray Tune's time, or (--long) when a trial costs more than 1.3 times as
much at 1,000 trials as at 100. Left out so far: busy cores, quality of the searches, RL Zoo.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import load_average, machine

HERE = Path(__file__).parent
OF_RAY_TUNE = 0.15
OF_SHORT = 1.3
JOB = """\
algorithm: {{name: "{file}:Parabola"}}
tune:
  num_trials: {trials}
  max_concurrent: 2
  final: {{top: 0}}
  space: {{algorithm.x: {{uniform: [-5, 5]}}}}
"""


def main() -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    load = load_average()
    if load > 0.5:
        print(f"warning: other work runs here (load {load:.2f}): noisy figures")
    subjects = ("trivium", "ray tune", "optuna")
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for repetition in range(args.repetitions):
        for name in subjects if repetition % 2 == 0 else subjects[::-1]:
            times[name].append(seconds(name, args.trials))
            print(f"{name:<10}{args.trials:>6} trials {times[name][-1]:8.1f} s", flush=True)
    pairs = zip(times["trivium"], times["ray tune"], strict=True)
    ratios = {"of stock Ray Tune's time": (median(a / b for a, b in pairs), OF_RAY_TUNE)}
    if args.long:
        few, many = seconds("trivium", 100), seconds("trivium", 1000)
        ratios["of a trial at 1,000 to one at 100"] = (many / 10 / few, OF_SHORT)
    for name, (ratio, limit) in ratios.items():
        print(f"{ratio:.3f} {name} (to reach: {limit})")
    record = {
        "machine": machine(),
        "load_average_before": load,
        "trials": args.trials,
        "seconds": times,
        "ratios": {name: {"ratio": r, "limit": limit} for name, (r, limit) in ratios.items()},
    }
    (HERE / "results.json").write_text(json.dumps(record, indent=2) + "\n")
    return 0 if all(ratio <= limit for ratio, limit in ratios.values()) else 1


def seconds(subject: str, trials: int) -> float:
    """Wall time of one process."""
    with tempfile.TemporaryDirectory() as folder:
        if subject == "trivium":
            job = Path(folder) / "parabola.yaml"
            job.write_text(JOB.format(file=HERE / "parabola.py", trials=trials))
            command = [sys.executable, "-m", "trivium.platform.cli", "tune", str(job)]
        else:
            peer = {"ray tune": "ray_tune.py", "optuna": "optuna_alone.py"}[subject]
            command = [sys.executable, str(HERE / "peers" / peer), str(trials)]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{subject} failed:\n{done.stdout}{done.stderr}")
        return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
