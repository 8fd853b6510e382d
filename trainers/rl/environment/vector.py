"""Many copies of an environment behind one kind of step, whatever way they are vectorized.

Gymnasium's vector environments reset themselves in one of two ways. In NEXT_STEP mode the step
after an episode's end ignores its action and returns the first observation of the next episode:
that is no transition, and `Step.valid` is False there. In SAME_STEP mode the first observation of
the next episode takes the place of the final one, which moves to the infos; `Step.next_obs` is the
final one, so that a truncated episode bootstraps from where it really ended. Shapes: B copies.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trivium.platform.errors import RunFailed
from trivium.trainers.rl.environment.make import has_native_vector, make_many
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import actions_of, observations_of


class Step(NamedTuple):
    """What one step of all copies gave."""

    next_obs: NDArray[Any]
    """[B, *shape] what followed the action; the final observation where the episode ended."""
    rewards: NDArray[np.float32]
    """[B] the environment's own rewards."""
    terminated: NDArray[np.bool_]
    """[B] the episode ended in a state of no future: nothing to bootstrap."""
    truncated: NDArray[np.bool_]
    """[B] the episode was cut short: bootstrap from next_obs."""
    valid: NDArray[np.bool_]
    """[B] False where the step only reset the copy; learn nothing from such a row."""


class Episode(NamedTuple):
    """An episode that ended."""

    episode_return: float
    """Undiscounted sum of the environment's own rewards."""
    length: int
    """Steps."""
    success: bool | None
    """What the environment says (`info["is_success"]` or `"success"`), where it says."""


class Environments:
    """`num_envs` copies of the environment of `settings`.

    `obs` [B, *observations.shape] is what the next actions answer. Reset once, then step:

        environments.reset(seed)
        step = environments.step(actions)   # actions [B, *actions.shape] for environments.obs
        finished = environments.take_episodes()
    """

    def __init__(self, settings: EnvSettings, num_envs: int | None = None) -> None:
        self.num_envs = settings.num_envs if num_envs is None else num_envs
        self.is_native = has_native_vector(settings)
        self._env = make_many(settings, self.num_envs)
        self._resets_next_step = "NEXT" in str(self._env.metadata["autoreset_mode"].name)
        self.observations = observations_of(self._env.single_observation_space)
        self.actions = actions_of(self._env.single_action_space)
        self.obs = np.zeros((self.num_envs, *self.observations.shape), self.observations.dtype)
        self._all_valid = np.ones(self.num_envs, np.bool_)
        self._ended = self._last_ended = np.zeros(self.num_envs, np.bool_)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, np.int64)
        self._episodes: list[Episode] = []

    @property
    def starting(self) -> NDArray[np.bool_]:
        """[B] True where `obs` is the first observation of an episode."""
        first: NDArray[np.bool_] = self._lengths == 0
        return first & ~self._ended if self._resets_next_step else first

    def reset(self, seed: int) -> NDArray[Any]:
        """Start anew: copy i from `seed + i`, or all from `seed` in a native vector version."""
        batch, _ = self._env.reset(seed=seed)
        self.obs = self._stored(batch)
        self._ended[:] = False
        self._returns[:] = 0
        self._lengths[:] = 0
        self._episodes = []
        return self.obs

    def step(self, actions: NDArray[Any]) -> Step:
        """Act in all copies; `obs` is then what the next actions answer.

        Raises:
            RunFailed: the environment raised an error.
        """
        batch, rewards, terminated, truncated, infos = self._act(self.actions.to_env(actions))
        rewards = np.array(rewards, np.float32)
        terminated, truncated = np.array(terminated, np.bool_), np.array(truncated, np.bool_)
        obs = next_obs = self._stored(batch)
        valid = ~self._ended if self._resets_next_step else self._all_valid
        ended = terminated | truncated
        self._returns += rewards
        self._lengths += valid
        if ended.any():
            rows = np.flatnonzero(ended)
            if not self._resets_next_step:
                next_obs = obs.copy()
                next_obs[rows] = self._final(infos, rows)
            self._finish(rows, infos)
        self._last_ended = ended
        self._ended, self.obs = ended, obs
        return Step(next_obs, rewards, terminated, truncated, valid)

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        taken, self._episodes = self._episodes, []
        return taken

    def take_ended(self, rows: NDArray[np.bool_]) -> list[Episode]:
        """The episodes that ended in the last step in copies where `rows` [B] is True."""
        ended = np.flatnonzero(self._last_ended)
        return [e for row, e in zip(ended, self.take_episodes(), strict=True) if rows[row]]

    def running(self, rows: NDArray[np.bool_]) -> list[Episode]:
        """The episodes of `rows` as far as they have come."""
        pairs = zip(self._returns[rows], self._lengths[rows], strict=True)
        return [Episode(float(r), int(n), None) for r, n in pairs]

    def close(self) -> None:
        """Free what the environments hold."""
        self._env.close()

    def _act(self, actions: NDArray[Any]) -> Any:
        try:
            return self._env.step(actions)
        except Exception as error:
            raise RunFailed(
                f"the environment failed in step(): {type(error).__name__}: {error}"
            ) from error

    def _stored(self, batch: Any) -> NDArray[Any]:
        arrays = self.observations.to_arrays(batch, self.num_envs)
        # Copies write their next batch into the same memory; a rollout keeps what it was given.
        return arrays if self.is_native else np.array(arrays)

    def _final(self, infos: Any, rows: NDArray[np.intp]) -> NDArray[Any]:
        final = infos["final_obs"]
        if isinstance(final, dict) and not self.is_native:  # Copies: row -> observation
            return np.stack([self.observations.one(final[row]) for row in rows])
        return self.observations.to_arrays(final, self.num_envs)[rows]

    def _finish(self, rows: NDArray[np.intp], infos: Any) -> None:
        for row in rows:
            success = _success(infos, int(row))
            episode = Episode(float(self._returns[row]), int(self._lengths[row]), success)
            self._episodes.append(episode)
        self._returns[rows] = 0.0
        self._lengths[rows] = 0

    def get_state(self) -> dict[str, Any] | None:
        """Plain data for a checkpoint; None when the environment cannot be brought back."""
        from trivium.trainers.rl.environment.state import capture

        own = capture(self._env)
        if own is None:
            return None
        return {
            "env": own,
            "obs": self.obs.copy(),
            "ended": self._ended.copy(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "episodes": [tuple(e) for e in self._episodes],
        }

    def set_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_state` of other Environments of the same settings.

        Returns:
            Whether the environment came back exactly; if not, it is as `reset` left it.
        """
        from trivium.trainers.rl.environment.state import restore

        batch = restore(self._env, state["env"])
        if batch is not None and not np.array_equal(self._stored(batch), state["obs"]):
            return False
        self.obs = np.array(state["obs"])
        self._ended = np.array(state["ended"])
        self._returns = np.array(state["returns"])
        self._lengths = np.array(state["lengths"])
        self._episodes = [Episode(*e) for e in state["episodes"]]
        return True


def check_rewards(rewards: NDArray[Any]) -> None:
    """Learning from such a reward would look as if it had diverged by itself.

    Raises:
        RunFailed: one of them is not finite.
    """
    if math.isfinite(rewards.sum()):  # the cheapest look at all of them
        return
    bad = rewards[~np.isfinite(rewards)]
    if bad.size:
        raise RunFailed(f"the environment gave the reward {bad[0]}; rewards must be finite numbers")


def success_of(info: Any) -> bool | None:
    """Whether the environment calls an episode that ended with `info` a success."""
    for name in ("is_success", "success"):
        if name in info:
            return bool(info[name])
    return None


def _success(infos: Any, row: int) -> bool | None:
    """The same from a vector environment: Copies key final infos by row, others batch them."""
    final = infos.get("final_info", {})
    if isinstance(final, dict) and isinstance(final.get(row), dict):
        return success_of(final[row])
    for source in (final, infos):
        for name in ("is_success", "success"):
            values = source.get(name) if isinstance(source, dict) else None
            if isinstance(values, np.ndarray) and values.shape[:1] and row < len(values):
                return bool(values[row])
    return None
