"""PPO on CartPole with as many as 10,000 copies of the environment in one process."""

import json
import tempfile
from pathlib import Path
from typing import Any

from goals import Found
from processes import ROOT, trivium
from watched import run_watched

COUNTS = (64, 1024, 10_000)
FEWEST_STEPS = 300_000
BATCHES = 2
"""At least; a batch has the job's 32 steps of each copy, and minibatches of 512 divide it."""


def copies(repetitions: int = 1) -> Found:
    """`jobs/cartpole-ppo.yaml` as it is, but for the copies and its end; evaluations apart."""
    rows = []
    for count in COUNTS:
        of_count = [_once(count) for _ in range(repetitions)]
        rows.append(max(of_count, key=lambda row: float(row["env_steps_per_s"])))
        print(f"  {rows[-1]}", flush=True)
    return Found([], {"rows": rows})


def _once(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
        run = Path(name) / "runs/cartpole-ppo-1"
        steps = max(FEWEST_STEPS, BATCHES * 32 * count)
        changes = (f"env.num_envs={count}", f"stop.env_steps={steps}", "stop.return_mean=null")
        words = [word for change in changes for word in ("--set", change)]
        command = trivium("train", str(ROOT / "jobs/cartpole-ppo.yaml"), *words)
        watched = run_watched(
            [*command, "--store", str(Path(name) / "runs")],
            Path(name),
            (run / "metrics.jsonl").is_file,
        )
        result = json.loads((run / "result.json").read_text())
        state = (run / "checkpoints/last").resolve() / "state.pt"
        return {
            "copies": count,
            "batch": 32 * count,
            "env_steps_per_s": round(result["env_steps_per_s"]),
            "rss_mb": round(watched.memory[watched.pid]["rss_bytes"] / 1e6),
            "state_bytes": state.stat().st_size,
        }
