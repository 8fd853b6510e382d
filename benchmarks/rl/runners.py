"""Environment steps a second with one env runner and with two, on a step of 50 microseconds."""

import json
import sys
from typing import Any

from subjects import HERE

STEPS = 60_000


def job(count: int) -> dict[str, Any]:
    """The same batch of 4,096 steps from `count` runners."""
    return {
        "name": "slow",
        "env": {"id": f"{HERE / 'slow_env.py'}:Slow", "num_envs": 32 // count},
        "model": {"name": "mlp", "hidden": [64, 64], "activation": "tanh"},
        "algorithm": {
            "name": "ppo",
            "rollout_steps": 128,
            "epochs": 4,
            "minibatch_size": 512,
        },
        "resources": {"num_env_runners": count},
        "stop": {"env_steps": STEPS},
    }


def main() -> None:
    """In a process of its own: train, and print the figures as JSON."""
    import time

    from trivium.platform.job import algorithm_class, check_job
    from trivium.trainers.rl.algorithm import build

    checked = check_job(job(int(sys.argv[1])))
    algorithm = build(checked, algorithm_class("ppo")(checked).rllib_class())
    algorithm.advance()  # the actors start and import with the first one
    began, steps_before = time.perf_counter(), algorithm.env_steps
    while algorithm.env_steps < STEPS:
        algorithm.advance()
    seconds = time.perf_counter() - began
    steps = algorithm.env_steps - steps_before
    algorithm.stop()
    # The time of equally many steps, so that ratios of times are ratios of speeds.
    figures = {
        "learning_s": seconds * STEPS / steps,
        "env_steps": steps,
        "env_steps_per_s": steps / seconds,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
