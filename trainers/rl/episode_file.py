"""Recorded episodes as Parquet: what `trivium play --data` writes, what offline methods read.

A row is a step, in the column names of RLlib's own recordings. Arrays are flattened; observations
of a Dict or Tuple are one vector, as environment/spaces.py flattens them.

    eps_id        which episode; the rows of one stand together
    t             step of the episode, from 0; the rows of an episode are in this order
    obs, new_obs  observation before and after the step
    actions       what the environment was given
    rewards       its reward
    terminateds, truncateds   how the step ended the episode, where it did
"""

import glob
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from trivium.platform.errors import UserError, nearest
from trivium.trainers.rl.environment.spaces import Observations, observations_of

COLUMNS = ("eps_id", "t", "obs", "actions", "rewards", "new_obs", "terminateds", "truncateds")


class RecordedEpisode(NamedTuple):
    """One episode of T steps."""

    obs: NDArray[Any]
    """[T + 1, *shape] as stored, see environment/spaces.py."""
    actions: NDArray[Any]
    """[T, *shape] as the environment takes them."""
    rewards: NDArray[np.float32]
    """[T]"""
    terminated: bool
    """Ended in a state of no future; else it was truncated, or the recording stopped."""


class EpisodeRecorder(gymnasium.Wrapper):  # type: ignore[misc]
    """Keeps the steps that are taken in `env` as rows of the file."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._observations = observations_of(env.observation_space)
        self._episode, self._step = -1, 0
        self._last: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """See gymnasium.Env."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._episode, self._step, self._last = self._episode + 1, 0, self._row(obs)
        return obs, info

    def step(self, action: Any) -> Any:
        """See gymnasium.Env."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        seen = self._row(obs)
        row = (
            self._episode,
            self._step,
            self._last,
            np.asarray(action).ravel(),
            float(reward),
            seen,
            bool(terminated),
            bool(truncated),
        )
        for name, value in zip(COLUMNS, row, strict=True):
            self.columns[name].append(value)
        self._step, self._last = self._step + 1, seen
        return obs, reward, terminated, truncated, info

    def _row(self, obs: Any) -> NDArray[Any]:
        array = self._observations.one(obs) if self._observations.kind == "flat" else obs
        return np.asarray(array).ravel()


def write_episodes(columns: dict[str, list[Any]], file: Path) -> None:
    """Write what an `EpisodeRecorder` kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: pa.array(values) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), file, compression="zstd")


def find_episode_files(text: str, base: Path) -> list[Path]:
    """The Parquet files that a job names: a file, a folder or a pattern.

    Relative paths are looked for in the working directory, then in `base`, the folder of the job
    file.

    Raises:
        UserError: there are none.
    """
    path = Path(text).expanduser()
    for place in (path, base / path):
        if place.is_dir():
            found = sorted(place.glob("*.parquet"))
        else:
            found = [Path(name) for name in sorted(glob.glob(str(place)))]
        if found:
            return found
    raise UserError.at(
        "algorithm.episodes",
        f"no Parquet file at {text}; `trivium play RUN --episodes 100 --data {text}` records the "
        f"episodes of a trained policy",
    )


def read_episodes(
    files: Sequence[Path], observation_space: Any, action_space: Any
) -> list[RecordedEpisode]:
    """The episodes of `files`, which must fit the spaces.

    Raises:
        UserError: not Parquet, a missing column, no rows, or values that do not fit.
    """
    observations = observations_of(observation_space)
    found: list[RecordedEpisode] = []
    for file in files:
        columns = _columns(file)
        ends = np.flatnonzero(columns["eps_id"][1:] != columns["eps_id"][:-1]) + 1
        bounds = [0, *ends.tolist(), len(columns["eps_id"])]
        obs, new_obs = (_observations(file, columns, n, observations) for n in ("obs", "new_obs"))
        actions = _actions(file, columns["actions"], action_space)
        for start, stop in pairwise(bounds):
            found.append(
                RecordedEpisode(
                    np.concatenate([obs[start:stop], new_obs[stop - 1 : stop]]),
                    actions[start:stop],
                    columns["rewards"][start:stop].astype(np.float32),
                    bool(columns["terminateds"][stop - 1]),
                )
            )
    return found


def _columns(file: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError.at("algorithm.episodes", f"{file} is not Parquet: {error}") from None
    needed = [name for name in COLUMNS if name != "t"]
    for name in needed:
        if name not in table.column_names:
            raise UserError.at(
                "algorithm.episodes",
                f"{file} has no column {name}{nearest(name, table.column_names)} "
                f"(needed: {', '.join(needed)})",
            )
    if not table.num_rows:
        raise UserError.at("algorithm.episodes", f"{file} has no rows")
    return {name: _array(table[name].combine_chunks()) for name in needed}


def _array(column: Any) -> NDArray[Any]:
    """A column as [N], or [N, k] where its rows are lists of k."""
    import pyarrow as pa

    if not pa.types.is_nested(column.type):
        array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return array
    flat: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1) if len(flat) % len(column) == 0 else flat[:, None]


def _observations(
    file: Path, columns: dict[str, NDArray[Any]], name: str, observations: Observations
) -> NDArray[Any]:
    space, is_flat = observations.space, observations.kind == "flat"
    shape = observations.shape if is_flat else (space.shape or ())
    raw = _fitted(file, name, columns[name], shape, str(space))
    if is_flat:
        return raw.astype(np.float32)
    return np.array(observations.to_arrays(raw, len(raw)))


def _actions(file: Path, column: NDArray[Any], space: Any) -> NDArray[Any]:
    actions = _fitted(file, "actions", column, space.shape or (), str(space))
    for action in actions[:: max(1, len(actions) // 100)]:
        if not space.contains(np.asarray(action, space.dtype)):
            raise UserError.at(
                "algorithm.episodes",
                f"{file}: the action {action.tolist()} is not in the environment's {space}",
            )
    return actions.astype(space.dtype)


def _fitted(
    file: Path, name: str, column: NDArray[Any], shape: tuple[int, ...], space: str
) -> NDArray[Any]:
    values = column.size // len(column)
    if values != int(np.prod(shape)):
        raise UserError.at(
            "algorithm.episodes",
            f"{file}: {name} has {values} values in a row, and the environment's {space} has "
            f"{int(np.prod(shape))}",
        )
    return column.reshape(len(column), *shape)
