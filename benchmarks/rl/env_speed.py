"""How fast our environments step on one core, and what there is to score in them.

    python benchmarks/rl/env_speed.py [--json FILE] [--scores]

Every environment is stepped with random actions, resets included: 1,024 copies in its vector
version, and one in its scalar version as `gymnasium.make` gives it. Times are CPU seconds of one
thread, so that another process on the machine counts less than on the clock; the table has the
median of the repeats and their range. Exits 1 when a median is below what is asked for.

`--scores` adds the mean returns of random play and of the baseline, and the optimum.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import gymnasium
import numpy as np

from trivium.envs.evaluate import random_policy, returns
from trivium.envs.registry import ENVS, register_all
from trivium.platform.registry import load_text

NUM_COPIES = 1024
ASKED = {"vector": 1_000_000, "vector, same step": 1_000_000, "scalar": 50_000}
VECTOR_STEPS, SCALAR_STEPS = 256, 8192
REPEATS = 7
SCORED_EPISODES = 1000


def vector_speed(name: str, autoreset_mode: str) -> float:
    """Environment steps per second of all copies together."""
    env = gymnasium.make_vec(
        name, NUM_COPIES, vectorization_mode="vector_entry_point", autoreset_mode=autoreset_mode
    )
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(64)]

    def play(num_steps: int) -> None:
        for step in range(num_steps):
            env.step(actions[step % 64])

    return NUM_COPIES * _rate(play, VECTOR_STEPS)


def scalar_speed(name: str) -> float:
    """Environment steps per second of one copy."""
    env = gymnasium.make(name, disable_env_checker=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(1024)]

    def play(num_steps: int) -> None:
        for step in range(num_steps):
            _, _, terminated, truncated, _ = env.step(actions[step % 1024])
            if terminated or truncated:
                env.reset()

    return _rate(play, SCALAR_STEPS)


def _rate(play: Callable[[int], None], num_steps: int) -> float:
    play(num_steps // 4)
    start = time.process_time()
    play(num_steps)
    return num_steps / (time.process_time() - start)


def scores(name: str) -> dict[str, float]:
    """Mean returns: random play, the baseline, the threshold, and the optimum where it is known."""
    env = gymnasium.make(name).unwrapped
    baseline = load_text(ENVS[name].baseline)(env.rules)
    found = {
        "random": float(returns(name, random_policy(), SCORED_EPISODES).mean()),
        "baseline": float(returns(name, baseline, SCORED_EPISODES).mean()),
        "threshold": ENVS[name].reward_threshold,
    }
    module = ENVS[name].baseline.partition(":")[0]
    if name == "trivium/GridDrive-v0":
        found["optimum"] = found["baseline"]
    elif name == "trivium/Recommend-v0":  # unknown: the taste is hidden
        for policy in ("Greedy", "Insider"):
            chosen = load_text(f"{module}:{policy}")(env.rules)
            found[policy.lower()] = float(returns(name, chosen, SCORED_EPISODES).mean())
    else:
        optimum = load_text(f"{module}:Optimum")(env.rules)
        found |= {"optimum": optimum.mean_return, "bound": optimum.bound}
    return found


def main() -> int:
    """Measure, print, write; 1 when an environment is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--scores", action="store_true", help="also the scores, a minute more")
    arguments = parser.parse_args()
    register_all()
    measures: dict[str, Callable[[str], float]] = {
        "vector": lambda name: vector_speed(name, "NextStep"),
        "vector, same step": lambda name: vector_speed(name, "SameStep"),
        "scalar": scalar_speed,
    }
    report: dict[str, Any] = {}
    is_fast = True
    print(f"{'environment':<24}{'version':<20}{'steps/s':>12}{'range':>26}{'asked':>12}")
    for name in ENVS:
        report[name] = {}
        for version, measure in measures.items():
            rates = sorted(measure(name) for _ in range(REPEATS))
            median = statistics.median(rates)
            is_fast &= median >= ASKED[version]
            span = f"{rates[0]:,.0f} - {rates[-1]:,.0f}"
            print(f"{name:<24}{version:<20}{median:>12,.0f}{span:>26}{ASKED[version]:>12,}")
            report[name][version] = {
                "steps_per_s": median,
                "all": rates,
                "asked": ASKED[version],
                "env_steps": SCALAR_STEPS if version == "scalar" else NUM_COPIES * VECTOR_STEPS,
            }
        if arguments.scores:
            report[name]["scores"] = scores(name)
            shown = {key: round(value, 3) for key, value in report[name]["scores"].items()}
            print(f"{'':<24}{', '.join(f'{key} {value}' for key, value in shown.items())}")
    if arguments.json:
        facts = {"numpy": np.__version__, "gymnasium": gymnasium.__version__}
        arguments.json.write_text(json.dumps({"versions": facts, "environments": report}, indent=2))
    return 0 if is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
