"""Copies of an environment as a table sees them: states are rows."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.vector import Environments, Episode
from trivium.trainers.rl.tabular.states import States

MOST_EPISODES = 100
"""Training episodes that are kept between two reports: the last ones say how it goes."""


class Transition(NamedTuple):
    """What one step of B copies gave."""

    reached: NDArray[np.int64]
    """[B] state that followed the action; the final one where the episode ended."""
    reward: NDArray[np.float64]
    """[B]."""
    terminated: NDArray[np.bool_]
    """[B]."""
    truncated: NDArray[np.bool_]
    """[B]."""
    valid: NDArray[np.bool_] | None
    """[B] False where the step only reset the copy; None when it is true everywhere."""


class StateEnvs(Protocol):
    """B copies of an environment."""

    states: NDArray[np.int64]
    """Where each copy stands, [B]: after an episode's end, in the first state of the next."""

    def step(self, actions: NDArray[np.int64]) -> Transition:
        """All copies take `actions` [B]."""

    def take_episodes(self) -> list[Episode]:
        """The last of the episodes that ended since the last call."""

    def get_state(self) -> dict[str, Any] | None:
        """Plain data for a checkpoint; None when the copies cannot be brought back."""

    def set_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_state`; whether the copies came back exactly."""


class Finished:
    """Returns and lengths of episodes that ended, the last `MOST_EPISODES` of them."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []

    def add(self, returns: NDArray[np.float64], lengths: NDArray[np.int64]) -> None:
        """Episodes that ended in one step."""
        self._parts.append((returns, lengths))
        if len(self._parts) > 2 * MOST_EPISODES:
            del self._parts[:-MOST_EPISODES]

    def take(self) -> list[Episode]:
        """Those kept, oldest first; then none are."""
        if not self._parts:
            return []
        returns = np.concatenate([r for r, _ in self._parts])[-MOST_EPISODES:].tolist()
        lengths = np.concatenate([n for _, n in self._parts])[-MOST_EPISODES:].tolist()
        self._parts = []
        return [Episode(r, n, None) for r, n in zip(returns, lengths, strict=True)]


class TableEnvs:
    """Any environment whose observations can be counted, stepped as the job says."""

    def __init__(self, settings: EnvSettings, states: States, seed: int) -> None:
        self._environments = Environments(settings)
        self._rows = states
        self.states = states.index(self._environments.reset(seed))

    def step(self, actions: NDArray[np.int64]) -> Transition:
        """See `StateEnvs`."""
        step = self._environments.step(actions)
        self.states = self._rows.index(self._environments.obs)
        return Transition(
            self._rows.index(step.next_obs),
            step.rewards.astype(np.float64),
            step.terminated,
            step.truncated,
            None if step.valid.all() else step.valid,
        )

    def take_episodes(self) -> list[Episode]:
        """See `StateEnvs`."""
        return self._environments.take_episodes()[-MOST_EPISODES:]

    def get_state(self) -> dict[str, Any] | None:
        """See `StateEnvs`."""
        return self._environments.get_state()

    def set_state(self, state: dict[str, Any]) -> bool:
        """See `StateEnvs`."""
        if not self._environments.set_state(state):
            return False
        self.states = self._rows.index(self._environments.obs)
        return True
