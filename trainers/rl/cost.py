"""What a trained policy costs, for searches that weigh it against its return."""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from trivium.platform.exhibit import Metric
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.vector import Environments
from trivium.trainers.rl.player import Player

COSTS = (
    Metric("parameters", "Numbers that the policy holds; of a table, its entries.", False),
    Metric("latency_ms", "Median time of an action for one observation, in milliseconds.", False),
)
NUM_STEPS = 200
"""Steps that are timed; a tenth as many go before to warm up."""


def count_numbers(folder: Path) -> int:
    """Numbers in the safetensors files of a checkpoint."""
    from safetensors import safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), "np") as tensors:
            for name in tensors.keys():  # noqa: SIM118  # no mapping
                size = 1
                for length in tensors.get_slice(name).get_shape():
                    size *= length
                total += size
    return total


def latency_ms(player: Player, settings: EnvSettings, seed: int) -> float:
    """Median time of a greedy action in one copy of the environment."""
    envs = Environments(settings, 1)
    try:
        envs.reset(seed)
        player.start(1, seed)
        times = []
        for _ in range(NUM_STEPS + NUM_STEPS // 10):
            began = time.perf_counter()
            actions = player.act(envs.obs, envs.starting, False)
            times.append(time.perf_counter() - began)
            envs.step(actions)
    finally:
        envs.close()
    return 1000.0 * median(times[NUM_STEPS // 10 :])


def measure(player: Player, folder: Path, env: EnvSettings, seed: int) -> Mapping[str, float]:
    """All of COSTS, of the policy in the checkpoint `folder`."""
    return {
        "parameters": float(count_numbers(folder)),
        "latency_ms": latency_ms(player, env, seed),
    }
