"""What every script here is told, and what it answers: one line of JSON for `subjects.py`."""

import argparse
import json
from pathlib import Path


def read_arguments() -> argparse.Namespace:
    """The same arguments for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", choices=["cnn", "mlp"], required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--loader-workers", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def answer(rows_per_epoch: int, epoch_s: list[float], first_step_at: float) -> None:
    """Seconds that each epoch's training steps took, and the Unix time of the first step's end."""
    print(
        json.dumps(
            {"rows_per_epoch": rows_per_epoch, "epoch_s": epoch_s, "first_step_at": first_step_at}
        )
    )
