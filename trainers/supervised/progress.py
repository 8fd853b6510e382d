"""Where a training stands: everything that exact resumption needs besides weights."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


@dataclass
class Progress:
    """Position in the data and what was found so far; saved as JSON-like data in `state.pt`."""

    epoch: int = 0
    """Epochs that are whole."""
    batch: int = 0
    """Batches done in the epoch under way; always at a step's end."""
    step: int = 0
    """Optimizer steps done."""
    best_value: float | None = None
    best_step: int = 0
    epochs_since_best: int = 0
    rows: int = 0
    """Training rows seen since the start."""
    train_s: float = 0.0
    """Seconds spent in training steps, validation left out."""
    first_step_at: float | None = None
    """Unix time of the end of the first step of the process that made it."""
    warnings: list[str] = field(default_factory=list)
    """Sentences about gradients that were already said."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Progress":
        """What `as_dict` gave."""
        return cls(**data)

    @property
    def samples_per_s(self) -> float:
        """Training rows per second of training."""
        return self.rows / self.train_s if self.train_s else 0.0


def save_weights(model: nn.Module, file: Path) -> None:
    """All parameters and buffers as safetensors; tensors that are shared are stored once."""
    from safetensors.torch import save_model

    save_model(model, str(file))


def load_weights(model: nn.Module, file: Path) -> None:
    """Load what `save_weights` wrote."""
    from safetensors.torch import load_model

    load_model(model, str(file))


def save_state(state: Mapping[str, Any], file: Path) -> None:
    """Tensors, numbers, texts, lists and mappings only, so that loading runs no code."""
    torch.save(dict(state), file)


def seed_everything(seed: int, rank: int = 0) -> None:
    """Seed torch, NumPy and Python; workers draw apart (dropout), weights are seeded before."""
    torch.manual_seed(seed + 1_000_003 * rank)
    np.random.seed((seed + 1_000_003 * rank) % 2**32)
    random.seed(seed + 1_000_003 * rank)


def random_state() -> dict[str, Any]:
    """The state of every generator that a step may draw from."""
    version, python, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": [version, list(python), gauss],
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, cached],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Take up the state that `random_state` gave."""
    torch.set_rng_state(state["torch"])
    version, python, gauss = state["python"]
    random.setstate((version, tuple(python), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
