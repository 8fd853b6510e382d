"""What a worker costs when the training step itself is empty: time, start, memory."""

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from goals import Found
from processes import trivium
from training import Trained, read_workers, write_job
from watched import Watched, run_watched

COUNTS = (1, 2, 4, 8)
STEPS = 3000


def cost(repetitions: int = 1, steps: int = STEPS) -> Found:
    """Each number of workers in turn, each second repetition in reverse; medians.

    Beyond as many workers as cores, wall time is that of workers taking turns: CPU time compares.
    """
    runs: dict[int, list[dict[str, Any]]] = {count: [] for count in COUNTS}
    for repetition in range(repetitions):
        for count in COUNTS if repetition % 2 == 0 else COUNTS[::-1]:
            runs[count].append(_once(count, steps))
            print(f"  {count} workers: {runs[count][-1]}", flush=True)
    rows = [
        {name: _rounded(median(r[name] for r in runs[count])) for name in runs[count][0]}
        for count in COUNTS
    ]
    return Found([], {"steps": steps, "rows": rows, "runs": runs})


def _once(count: int, steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
        folder = Path(name)
        words = ("train", str(write_job(folder, count, steps)), "--store", str(folder / "runs"))
        watched = run_watched(trivium(*words), folder, lambda: _is_half_done(folder, steps))
        trained = read_workers(folder, count)
        run = folder / "runs/empty-1"
        result = json.loads((run / "result.json").read_text())
        state = (run / "checkpoints/last").resolve() / "state.pt"
        return {
            "workers": count,
            "wall_s_per_1000_steps": 1000 * trained.workers[0].of_steps("at"),
            "cpu_ms_per_worker_and_step": 1000 * trained.mean("cpu_s"),
            "first_step_s": result["first_step_s"],
            "cpu_s_per_worker_to_first_step": sum(w.lines[0]["cpu_s"] for w in trained.workers)
            / count,
            "process_s": watched.seconds,
            **_in_all(watched, trained),
            "state_bytes": state.stat().st_size,
        }


def _in_all(watched: Watched, trained: Trained) -> dict[str, float]:
    """CPU of the command's own process and of Ray's while the workers train; memory of all."""
    used, workers = watched.cpu_s(trained.window), {w.pid for w in trained.workers}
    command = {watched.pid} - workers  # one worker trains in the command's own process
    ray = used.keys() - workers - command
    return {
        "command_cpu_s_per_s": sum(used[pid] for pid in command),
        "ray_cpu_s_per_s": sum(used[pid] for pid in ray),
        "rss_mb_per_worker": _mb(watched, workers, "rss_bytes") / len(workers),
        "pss_mb_per_worker": _mb(watched, workers, "pss_bytes") / len(workers),
        "command_pss_mb": _mb(watched, command, "pss_bytes"),
        "ray_pss_mb": _mb(watched, ray, "pss_bytes"),
    }


def _mb(watched: Watched, pids: set[int], kind: str) -> float:
    return sum(m[kind] for pid, m in watched.memory.items() if pid in pids) / 1e6


def _is_half_done(folder: Path, steps: int) -> bool:
    """Rank 0 has written half of its lines."""
    file = next((folder / "steps").glob("0-*"), None)
    return file is not None and file.read_bytes().count(b"\n") > steps // 200


def _rounded(value: float) -> float:
    return float(f"{value:.4g}") if isinstance(value, float) else value
