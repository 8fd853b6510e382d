"""What a checkpoint takes: by the size of the model, and by the number of workers."""

import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from goals import Found

from trivium.platform.checkpoint import write_checkpoint
from trivium.platform.state_file import read_state
from trivium.trainers.supervised.progress import random_state, save_state, save_weights

COUNTS = (8, 100, 800)
PARAMETERS = (400_000, 25_000_000)


def checkpoint(repetitions: int = 3) -> Found:
    """The functions that save and resume call: training waits for them; the fastest counts."""
    models = [_fastest(_save_model, size, repetitions) for size in PARAMETERS]
    workers = [_fastest(_save_states, count, repetitions) for count in COUNTS]
    gathered = len(pickle.dumps((random_state(), [0.0] * 4)))
    figures = {"models": models, "workers": workers, "gathered_bytes_per_worker": gathered}
    print(f"  {figures}", flush=True)
    return Found([], figures)


def _fastest(
    measure: Callable[[int, Path], dict[str, Any]], size: int, repetitions: int
) -> dict[str, Any]:
    rows = []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
            rows.append(measure(size, Path(name)))
    return min(rows, key=lambda row: float(row["write_s"]))


def _save_model(parameters: int, folder: Path) -> dict[str, Any]:
    """A model with Adam's two moments, and the best weights so far beside the last."""
    model = torch.nn.Linear(parameters // 1000, 1000, bias=False)
    kept = {name: torch.randn_like(model.weight) for name in ("exp_avg", "exp_avg_sq", "best")}

    def fill(path: Path) -> None:
        save_weights(model, path / "weights.safetensors")
        save_state(kept, path / "state.pt")

    began = time.perf_counter()
    write_checkpoint(folder, "last", 1, fill)
    seconds = time.perf_counter() - began
    size = sum(f.stat().st_size for f in (folder / "last").iterdir())
    return {"parameters": parameters, "bytes": size, "write_s": round(seconds, 3)}


def _save_states(count: int, folder: Path) -> dict[str, Any]:
    """The states of the random generators of so many workers, all of which a resume needs."""
    states, file = [random_state() for _ in range(count)], folder / "state.pt"
    began = time.perf_counter()
    save_state({"random": states}, file)
    saved = time.perf_counter()
    read_state(file)
    read = time.perf_counter()
    return {
        "workers": count,
        "bytes": file.stat().st_size,
        "write_s": round(saved - began, 3),
        "read_s": round(read - saved, 3),
    }
