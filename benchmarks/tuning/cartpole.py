"""Time until a tuner has settings that solve CartPole-v1: Trivium's sweep, RL Zoo's tuner.

Found is the first trial whose own policy, as the tuner kept it, plays 100 greedy episodes with a
mean return of 475 or more. The clock runs from the start of the tuner's process to the moment
when that policy lay on the disk; for Trivium to the end of the trial, which plays the hundred
episodes itself. Time spent on checking RL Zoo's policies, the tuner standing still, is not counted.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from goals import Found, Goal
from processes import HERE, ROOT, environment, trivium

OF_RL_ZOO = 1 / 3
SOLVED = 475.0
CAP_S = float(os.environ.get("CARTPOLE_CAP_S", "600"))
"""A tuner that has found nothing by then counts with this time."""
PEERS = ROOT / "benchmarks/.venv-tuning/bin/python"
TRIVIUM = (*trivium("tune", str(HERE / "jobs/cartpole.yaml")), "--store", "runs", "--set")
# -optimize with its own defaults for CartPole: 100,000 steps in 8 environments, TPE, median pruner
ZOO = (
    *(str(PEERS), "-m", "rl_zoo3.train", "--algo", "ppo", "--env", "CartPole-v1", "-optimize"),
    *("--n-trials", "1000", "--sampler", "tpe", "--pruner", "median", "--verbose", "1"),
    *("--optimization-log-path", "trials", "-f", "logs", "--seed"),
)

Look = Callable[[Path, set[str]], tuple[float, dict[str, Any]] | None]


def cartpole(repetitions: int = 3) -> Found:
    """Both tuners with the same seeds, in turn."""
    subjects: dict[str, tuple[Callable[[int], list[str]], Look]] = {
        "trivium": (lambda seed: [*TRIVIUM, f"seed={seed}"], _look_at_trivium),
        "rl zoo": (lambda seed: [*ZOO, str(seed)], _look_at_zoo),
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in subjects}
    for seed in range(repetitions):
        for name in list(subjects)[:: 1 if seed % 2 == 0 else -1]:
            command, look = subjects[name]
            rows[name].append(_until_found(command(seed), look) | {"seed": seed})
            print(f"  {name:<8} {rows[name][-1]}", flush=True)
    ours, theirs = (median(r["found_s"] for r in rows[n]) for n in subjects)
    what = (
        f"seconds to settings that solve CartPole, median, Trivium {ours:.1f} / RL Zoo {theirs:.1f}"
    )
    return Found([Goal(what, ours / theirs, at_most=OF_RL_ZOO)], rows)


def _until_found(command: list[str], look: Look) -> dict[str, Any]:
    """Run a tuner until a trial of it solves the task; it is killed then."""
    with tempfile.TemporaryDirectory() as name, (Path(name) / "output.txt").open("w") as output:
        folder, seen, stood_still = Path(name), set[str](), 0.0
        began, began_at = time.monotonic(), time.time()
        tuner = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
        try:
            while tuner.poll() is None and time.monotonic() - began - stood_still < CAP_S:
                time.sleep(0.1)
                before = time.monotonic()
                if command[0] == str(PEERS) and _is_new(folder, seen):
                    os.killpg(tuner.pid, signal.SIGSTOP)
                found = look(folder, seen)
                if command[0] == str(PEERS):
                    os.killpg(tuner.pid, signal.SIGCONT)
                    stood_still += time.monotonic() - before
                    still_before = time.monotonic() - before
                else:
                    still_before = 0.0
                if found is not None:
                    at, facts = found
                    seconds = at - began_at - (stood_still - still_before)
                    return {"found_s": round(seconds, 2), **facts}
            if tuner.poll() is not None:
                raise SystemExit((folder / "output.txt").read_text()[-4000:])
            return {"found_s": CAP_S, "not_found": True, "trials": len(seen)}
        finally:
            _end(tuner)


def _look_at_trivium(folder: Path, seen: set[str]) -> tuple[float, dict[str, Any]] | None:
    for result in sorted(folder.glob("runs/*/children/*/result.json")):
        number = result.parent.name
        if number in seen:
            continue
        seen.add(number)
        metrics = json.loads(result.read_text())["metrics"]
        mean = metrics.get("test/return_mean", 0.0)
        if mean >= SOLVED:
            facts = {"trial": int(number), "return_mean": mean}
            return result.stat().st_mtime, facts
    return None


def _candidates(folder: Path) -> list[Path]:
    return sorted(folder.glob("trials/trial_*/best_model.zip"), key=lambda p: p.stat().st_mtime)


def _key(model: Path) -> str:
    return f"{model.parent.name} {model.stat().st_mtime}"


def _is_new(folder: Path, seen: set[str]) -> bool:
    return any(_key(m) not in seen for m in _candidates(folder))


def _look_at_zoo(folder: Path, seen: set[str]) -> tuple[float, dict[str, Any]] | None:
    for model in _candidates(folder):
        if _key(model) in seen:
            continue
        seen.add(_key(model))
        checked = subprocess.run(
            [str(PEERS), str(HERE / "peers/zoo_policy.py"), str(model)],
            capture_output=True,
            text=True,
            check=False,
        )
        if checked.returncode:  # half written: it is looked at again
            seen.discard(_key(model))
            continue
        mean = float(checked.stdout.split()[-1])
        print(f"    rl zoo, {model.parent.name}: {mean}", file=sys.stderr, flush=True)
        if mean >= SOLVED:
            facts = {"trial": int(model.parent.name.split("_")[1]), "return_mean": mean}
            return model.stat().st_mtime, facts
    return None


def _end(tuner: subprocess.Popen[bytes]) -> None:
    """End the tuner and whatever it started: its own session, and Ray's processes with it."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(tuner.pid, sign)
            if sign == signal.SIGINT:
                tuner.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    tuner.wait()
