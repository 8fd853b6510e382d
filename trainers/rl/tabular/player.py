"""A table as a policy, read from its checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from trivium.trainers.rl.tabular.exploration import Exploration
from trivium.trainers.rl.tabular.states import States
from trivium.trainers.rl.tabular.table import QTable

WEIGHTS = "weights.safetensors"


class TablePlayer:
    """Takes the best action of each row (the first of equals), or explores as in training."""

    def __init__(
        self, table: QTable, states: States, exploration: Exploration, env_steps: int
    ) -> None:
        self.table = table
        self._states, self._exploration, self._env_steps = states, exploration, env_steps
        self._values = table.mean
        self._visits = table.visits.sum(axis=0) if exploration.uses_visits else None
        self._rng = np.random.default_rng()

    def start(self, num_envs: int, seed: int) -> None:
        """See `Player`."""
        self._rng = np.random.default_rng(seed)

    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """See `Player`."""
        rows = self._states.index(obs)
        if not sample:
            best: NDArray[np.int64] = self._values[rows].argmax(axis=1)
            return best
        visits = self._visits[rows] if self._visits is not None else None
        return self._exploration.act(self._values[rows], visits, self._env_steps, self._rng)


def save_table(folder: Path, table: QTable, env_steps: int) -> None:
    """Write what `load_table` reads."""
    arrays = {"values": table.values, "visits": table.visits, "env_steps": np.array([env_steps])}
    save_file(arrays, folder / WEIGHTS)


def load_table(folder: Path) -> tuple[QTable, int]:
    """The table in a checkpoint, and after how many environment steps it was written."""
    arrays = load_file(folder / WEIGHTS)
    table = QTable(*arrays["values"].shape)
    table.values[:], table.visits[:] = arrays["values"], arrays["visits"]
    return table, int(arrays["env_steps"][0])
