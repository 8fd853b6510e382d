"""The vector half of our environments: seeds, episodes and automatic resets of many copies.

Every state is an array over the copies, and no step loops over them in Python.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from trivium.envs.random_streams import (
    Words,
    episode_keys,
    reset_words,
    step_words,
    stream_keys,
)

Rows = npt.NDArray[np.intp]

_STATE_ARRAYS = ("_streams", "_keys", "_episodes", "_elapsed", "_over")


class BatchEnv(VectorEnv[Any, Any, Any]):  # type: ignore[misc]  # gymnasium counts as untyped
    """A Gymnasium vector environment that equals `num_envs` scalar ones step for step.

    Copy `i` after `reset(seed=s)` is the scalar environment after `reset(seed=s + i)`, as in
    `gymnasium.vector.SyncVectorEnv`.

    Arguments:
        num_envs: copies in the batch, B.
        max_episode_steps: steps after which an episode is truncated; None for no limit.
        render_mode: None or "rgb_array".
        autoreset_mode: what follows the end of an episode. "NextStep", the default, is what
            Gymnasium's own vector environments do: the last observation of an episode is returned
            as it is, which is what a learner bootstraps a truncated episode from, and the copy's
            next step ignores its action and returns the first observation of the next episode with
            reward 0. "SameStep" spends no step on the reset: the first observation of the next
            episode takes the place of the last one, which moves to `infos["final_obs"]`, an
            array of the whole batch whose rows count where `infos["_final_obs"]` is true.
            "Disabled" resets nothing: call `reset(options={"reset_mask": mask})`.
        copy: whether `reset` and `step` return observations of their own. False returns the
            array that the next step writes into: faster, for a learner that stores it at once.

    A subclass sets the single spaces, `num_reset_words`, `num_step_words` and `state_arrays`, and
    has `_start(rows, words)`, `_advance(actions, words)` and `_observe(rows, out)`. Stepping a copy
    whose episode is over (its result is thrown away) must not fail.
    """

    num_reset_words = 0
    num_step_words = 0
    render_fps = 4
    state_arrays: tuple[str, ...] = ()
    """Names of the arrays that hold the state of a subclass, for `get_state`."""

    def __init__(
        self,
        num_envs: int,
        max_episode_steps: int | None,
        render_mode: str | None,
        autoreset_mode: str | AutoresetMode,
        copy: bool,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs {num_envs}: must be 1 or more")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps {max_episode_steps}: must be 1 or more, or None")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r}: must be None or 'rgb_array'")
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": self.render_fps,
            "autoreset_mode": self.autoreset_mode,
        }
        self.copy = copy
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._observations = np.zeros(
            self.observation_space.shape, dtype=self.observation_space.dtype
        )
        self._num_actions = _num_actions(self.single_action_space)
        self._limit = np.uint64(max_episode_steps or (1 << 63))
        self._streams = np.zeros(0, dtype=np.uint64)
        self._keys = np.zeros(num_envs, dtype=np.uint64)
        self._episodes = np.zeros(num_envs, dtype=np.uint64)
        self._elapsed = np.zeros(num_envs, dtype=np.uint64)
        self._over = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every copy, or in those of `options["reset_mask"]`, bool `[B]`.

        Args:
            seed: copy `i` takes `seed + i`, or `seed[i]`; None goes on to the next episodes of
                the streams at hand.
            options: see above.
        """
        first = not self._streams.size
        if seed is not None or first:
            self._streams = stream_keys(self._seeds(seed))
            self._episodes[:] = 0
        mask = (options or {}).get("reset_mask")
        rows = np.arange(self.num_envs) if mask is None or first else np.flatnonzero(mask)
        if seed is None and not first:
            self._episodes[rows] += np.uint64(1)
        self._begin(rows)
        self._observe(slice(None), self._observations)
        return self._returned(), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every copy with its action.

        Returns:
            observations, rewards float64 `[B]`, terminations bool `[B]`, truncations bool `[B]`,
            and infos, which are empty but for the final observations of "SameStep".
        """
        if not self._streams.size:
            raise RuntimeError("step before the first reset: call reset")
        words = step_words(self._keys, self._elapsed, self.num_step_words)
        rewards, terminations = self._advance(self._checked(actions), words)
        self._elapsed += np.uint64(1)
        truncations = self._elapsed >= self._limit
        infos: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            rows = np.flatnonzero(self._over)
            if rows.size:
                rewards[rows] = 0.0
                terminations[rows] = False
                truncations[rows] = False
                self._begin_next(rows)
            self._over = terminations | truncations
        self._observe(slice(None), self._observations)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            over = terminations | truncations
            rows = np.flatnonzero(over)
            if rows.size:
                infos = {"final_obs": self._observations.copy(), "_final_obs": over}
                infos |= {"final_info": {}, "_final_info": over.copy()}
                self._begin_next(rows)
                first = np.empty_like(self._observations[rows])
                self._observe(rows, first)
                self._observations[rows] = first
        return self._returned(), rewards, terminations, truncations, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the arrays that make up the state, seeds included."""
        return {name: getattr(self, name).copy() for name in _STATE_ARRAYS + self.state_arrays}

    def set_state(self, state: dict[str, npt.NDArray[Any]]) -> Any:
        """Go on from a state of an equal environment; the observations of that state."""
        for name in _STATE_ARRAYS + self.state_arrays:
            setattr(self, name, state[name].copy())
        self._observe(slice(None), self._observations)
        return self._returned()

    def render(self) -> Any:
        """One picture per copy, uint8 `[height, width, 3]` each; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self._picture(row) for row in range(self.num_envs))

    def _seeds(self, seed: int | Sequence[int] | None) -> Sequence[int]:
        if seed is None:
            seed = int(self.np_random.integers(1 << 62))
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            return range(int(seed), int(seed) + self.num_envs)
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} copies: give one each")
        return [int(single) for single in seed]

    def _begin_next(self, rows: Rows) -> None:
        self._episodes[rows] += np.uint64(1)
        self._begin(rows)

    def _begin(self, rows: Rows) -> None:
        keys = episode_keys(self._streams[rows], self._episodes[rows])
        self._keys[rows] = keys
        self._elapsed[rows] = 0
        self._over[rows] = False
        self._start(rows, reset_words(keys, self.num_reset_words))

    def _checked(self, actions: npt.ArrayLike) -> npt.NDArray[np.integer[Any]]:
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions of shape {actions.shape} and type {actions.dtype}: "
                f"must be integers of shape {self.action_space.shape}"
            )
        if actions.min() < 0 or actions.max() >= self._num_actions:
            raise ValueError(
                f"actions from {actions.min()} to {actions.max()}: "
                f"must be from 0 to {self._num_actions - 1}"
            )
        return actions

    def _returned(self) -> Any:
        return self._observations.copy() if self.copy else self._observations

    def _start(self, rows: Rows, words: Words) -> None:
        """Make the starting states of these rows `[R]` from the words `[W, R]`."""
        raise NotImplementedError

    def _advance(
        self, actions: npt.NDArray[np.integer[Any]], words: Words
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Move every copy by one step; fresh arrays of rewards and terminations `[B]`."""
        raise NotImplementedError

    def _observe(self, rows: Rows | slice, out: npt.NDArray[Any]) -> None:
        """Write the observations of these rows to `out`, `[R, ...]`."""
        raise NotImplementedError

    def _picture(self, row: int) -> npt.NDArray[np.uint8]:
        raise NotImplementedError


def _num_actions(space: spaces.Space[Any]) -> int:
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.min())
    assert isinstance(space, spaces.Discrete)
    return int(space.n)
