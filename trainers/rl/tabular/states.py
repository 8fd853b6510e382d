"""Observations as rows of a table: Discrete, MultiDiscrete, MultiBinary and tuples of Discrete."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trivium.platform.errors import UserError

MAX_ENTRIES = 50_000_000
"""Largest table (states times actions) that is allowed: 400 MB of values, 400 MB of counts."""


class States:
    """Numbers the observations of a space: the last part counts fastest, as in a C array.

    Reads observations as `environment/spaces.py` stores them: whole numbers from 0, and the parts
    of a Tuple or Dict one-hot beside each other.

    Raises:
        UserError: the space has parts that cannot be counted.
    """

    def __init__(self, space: Any, env_id: str = "the environment") -> None:
        from gymnasium import spaces

        self._is_one_hot = isinstance(space, spaces.Tuple | spaces.Dict)
        parts = _parts(space)
        if parts is None:
            raise UserError.at(
                "env.id",
                f"{env_id} observes {space}, and a table needs Discrete, MultiDiscrete, "
                f"MultiBinary, or a Tuple or Dict of Discrete: use dqn, which takes any "
                f"observation",
            )
        self.sizes = tuple(n for n, _ in parts)
        self.num_states = math.prod(self.sizes)
        self._starts = tuple(start for _, start in parts)
        strides = [math.prod(self.sizes[i + 1 :]) for i in range(len(self.sizes))]
        self._weights = np.array(strides, np.int64)
        if self._is_one_hot:
            pairs = zip(strides, self.sizes, strict=True)
            self._weights = np.concatenate([stride * np.arange(n) for stride, n in pairs])

    def index(self, stored: NDArray[Any]) -> NDArray[np.int64]:
        """Row of each of B stored observations, [B]."""
        if stored.ndim == 1:
            return stored.astype(np.int64, copy=False)
        rows: NDArray[np.int64] = stored.astype(np.int64) @ self._weights
        return rows

    def parts(self, row: int) -> tuple[int, ...]:
        """The observation that stands in `row`, part by part, as the environment gives it."""
        places = np.unravel_index(row, self.sizes)
        return tuple(int(i) + s for i, s in zip(places, self._starts, strict=True))


def _parts(space: Any) -> tuple[tuple[int, int], ...] | None:
    """(number of values, first value) of each part; None when a part cannot be counted."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return ((int(space.n), int(space.start)),)
    if isinstance(space, spaces.MultiDiscrete):
        sizes, starts = space.nvec.ravel(), np.broadcast_to(space.start, space.nvec.shape).ravel()
        return tuple((int(n), int(s)) for n, s in zip(sizes, starts, strict=True))
    if isinstance(space, spaces.MultiBinary):
        return tuple((2, 0) for _ in range(math.prod(space.shape)))
    if isinstance(space, spaces.Tuple | spaces.Dict):
        own = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        kinds: list[Any] = list(own)
        if all(isinstance(part, spaces.Discrete) for part in kinds):
            return tuple((int(part.n), int(part.start)) for part in kinds)
    return None


def count_actions(space: Any, num_states: int, env_id: str = "the environment") -> int:
    """Columns of the table.

    Raises:
        UserError: actions are not Discrete, or the table would be too large.
    """
    from gymnasium import spaces

    if not isinstance(space, spaces.Discrete):
        raise UserError.at(
            "env.id", f"{env_id} acts by {space}, and a table needs Discrete actions: use ppo"
        )
    entries = num_states * int(space.n)
    if entries > MAX_ENTRIES:
        raise UserError.at(
            "env.id",
            f"{env_id} has {num_states:,} states and {int(space.n)} actions, a table of "
            f"{entries:,} entries where {MAX_ENTRIES:,} are allowed: use dqn",
        )
    return int(space.n)
