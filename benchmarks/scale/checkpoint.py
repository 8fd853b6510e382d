"""What a checkpoint grows by for each worker: the states of its random generators."""

import pickle
import tempfile
import time
from pathlib import Path
from typing import Any

from goals import Found

from trivium.platform.state_file import read_state
from trivium.trainers.supervised.progress import random_state, save_state

COUNTS = (8, 100, 800)


def checkpoint(repetitions: int = 1) -> Found:
    """The functions that save and resume call, on as many states as there would be workers."""
    rows = []
    for count in COUNTS:
        rows.append(min((_once(count) for _ in range(repetitions)), key=_seconds))
        print(f"  {rows[-1]}", flush=True)
    figures = {"gathered_bytes_per_worker": len(pickle.dumps((random_state(), [0.0] * 4)))}
    return Found([], figures | {"rows": rows})


def _once(count: int) -> dict[str, Any]:
    states = [random_state() for _ in range(count)]
    with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
        file = Path(name) / "state.pt"
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


def _seconds(row: dict[str, Any]) -> float:
    return float(row["write_s"] + row["read_s"])
