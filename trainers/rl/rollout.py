"""A rollout: T steps of B copies in flat arrays, time first, filled in place.

The arrays are allocated once and used again by every update; what must outlive the next collection
is copied by whoever keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.environment.spaces import Actions, Observations
from trivium.trainers.rl.environment.vector import Environments, check_rewards

Act: TypeAlias = Callable[
    [NDArray[Any], NDArray[np.bool_], int], tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
]
"""(observations [B, ...], starting [B], t) -> (actions for the environment, actions to store,
parameters [B, P] of the distribution they come from)."""


@dataclass
class Rollout:
    """See the module's head; make it with `empty_rollout`."""

    obs: NDArray[Any]
    """[T + 1, B, *shape]: acted on, and what the last step came to."""
    starting: NDArray[np.bool_]
    """[T + 1, B] first observation of an episode."""
    actions: NDArray[Any]
    """[T, B, *shape]"""
    parameters: NDArray[np.float32]
    """[T, B, P] of the distribution that the actions were drawn from."""
    rewards: NDArray[np.float32]
    """[T, B]"""
    terminated: NDArray[np.bool_]
    """[T, B]"""
    truncated: NDArray[np.bool_]
    """[T, B]"""
    valid: NDArray[np.bool_]
    """[T, B] False where a step only reset its copy."""
    finals: list[tuple[int, NDArray[np.intp], NDArray[Any]]] = field(default_factory=list)
    """(t, rows, observations): where truncated episodes really ended, when obs[t + 1] already
    belongs to the next episode."""
    memory: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    """A recurrent policy's memory before the first step, each [B, size]."""

    @property
    def num_valid(self) -> int:
        """Transitions in it."""
        return int(self.valid.sum())


def empty_rollout(
    steps: int, num_envs: int, observations: Observations, actions: Actions, num_parameters: int
) -> Rollout:
    """Arrays for `steps` steps of `num_envs` copies."""
    grid = (steps, num_envs)
    return Rollout(
        obs=np.zeros((steps + 1, num_envs, *observations.shape), observations.dtype),
        starting=np.zeros((steps + 1, num_envs), np.bool_),
        actions=np.zeros((*grid, *actions.shape), actions.dtype),
        parameters=np.zeros((*grid, num_parameters), np.float32),
        rewards=np.zeros(grid, np.float32),
        terminated=np.zeros(grid, np.bool_),
        truncated=np.zeros(grid, np.bool_),
        valid=np.zeros(grid, np.bool_),
    )


def collect(environments: Environments, act: Act, rollout: Rollout) -> None:
    """Fill `rollout`, going on from where the environments are."""
    rollout.finals = []
    for t in range(len(rollout.actions)):
        obs, starting = environments.obs, environments.starting
        rollout.obs[t], rollout.starting[t] = obs, starting
        acted, rollout.actions[t], rollout.parameters[t] = act(obs, starting, t)
        step = environments.step(acted)
        rollout.rewards[t] = step.rewards
        rollout.terminated[t], rollout.truncated[t] = step.terminated, step.truncated
        rollout.valid[t] = step.valid
        if step.next_obs is not environments.obs:
            rows = np.flatnonzero(step.truncated & ~step.terminated)
            if len(rows):
                rollout.finals.append((t, rows, step.next_obs[rows]))
    rollout.obs[-1], rollout.starting[-1] = environments.obs, environments.starting
    check_rewards(rollout.rewards)


def join_steps(parts: list[Rollout]) -> Rollout:
    """Rollouts of the same copies, one after the other, as one."""

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(p, name) for p in parts])

    def joined_with_last(name: str) -> NDArray[Any]:
        arrays = [getattr(p, name) for p in parts]
        return np.concatenate([*(a[:-1] for a in arrays), arrays[-1][-1:]])

    starts = np.cumsum([0, *(len(p.actions) for p in parts)])
    finals = [
        (start + t, rows, obs)
        for start, part in zip(starts, parts, strict=False)
        for t, rows, obs in part.finals
    ]
    return Rollout(
        obs=joined_with_last("obs"),
        starting=joined_with_last("starting"),
        actions=joined("actions"),
        parameters=joined("parameters"),
        rewards=joined("rewards"),
        terminated=joined("terminated"),
        truncated=joined("truncated"),
        valid=joined("valid"),
        finals=finals,
        memory=parts[0].memory,
    )


def join_copies(parts: list[Rollout]) -> Rollout:
    """Rollouts of the same steps of different copies, side by side, in arrays of its own."""

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(p, name) for p in parts], axis=1)

    starts = np.cumsum([0, *(p.actions.shape[1] for p in parts)])
    finals = [
        (t, rows + start, obs)
        for start, part in zip(starts, parts, strict=False)
        for t, rows, obs in part.finals
    ]
    memory = None
    if parts[0].memory is not None:
        pairs = [p.memory for p in parts if p.memory is not None]
        memory = (np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]))
    return Rollout(
        obs=joined("obs"),
        starting=joined("starting"),
        actions=joined("actions"),
        parameters=joined("parameters"),
        rewards=joined("rewards"),
        terminated=joined("terminated"),
        truncated=joined("truncated"),
        valid=joined("valid"),
        finals=finals,
        memory=memory,
    )
