"""Spaces as arrays: what a rollout stores, and what a network reads.

Observations are stored as one array each: Box as it is (bytes stay bytes, other numbers are
float32), Discrete and MultiDiscrete as int64 counted from 0, MultiBinary as float32, Dict and
Tuple flattened to one float32 vector with their discrete parts one-hot, as Gymnasium flattens.
Actions are stored as int64 (Discrete [], MultiDiscrete [k]) or float32 (Box, flattened [n]).
Left out: Text, Sequence, Graph and OneOf, which have no fixed size.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gymnasium import Space

ObservationKind = Literal["box", "image", "discrete", "multi_discrete", "multi_binary", "flat"]


@dataclass(frozen=True)
class Observations:
    """How the observations of `space` are stored and read; make it with `observations_of`."""

    space: "Space[Any]"
    kind: ObservationKind
    shape: tuple[int, ...]
    """Shape of one stored observation."""
    dtype: type[np.generic]
    sizes: tuple[int, ...] = ()
    """Numbers of values of the discrete parts: (n,) for Discrete, one each for MultiDiscrete."""

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """What a network sees (its fact input_shape): one-hot vectors, images as [C, H, W]."""
        if self.sizes:
            return (sum(self.sizes),)
        if self.kind == "image":
            height, width, channels = self.shape if len(self.shape) == 3 else (*self.shape, 1)
            return (channels, height, width)
        return self.shape or (1,)

    def to_arrays(self, batch: Any, num_envs: int) -> NDArray[Any]:
        """A batch of `num_envs` observations as Gymnasium's vector environments give it.

        Returns:
            [num_envs, *shape]; may be the array that was given.
        """
        if self.kind == "flat":
            return _flatten(self.space, batch, num_envs)
        array: NDArray[Any] = np.asarray(batch)
        if self.kind in ("discrete", "multi_discrete"):
            start = getattr(self.space, "start", 0)
            array = array - start if np.any(start) else array
        array = array.astype(self.dtype, copy=False)
        return array.reshape(num_envs, *self.shape)

    def one(self, observation: Any) -> NDArray[Any]:
        """A single environment's observation as it is stored, [*shape]."""
        if self.kind == "flat":
            from gymnasium.vector.utils import concatenate, create_empty_array

            batch = concatenate(self.space, [observation], create_empty_array(self.space, 1))
            stored = self.to_arrays(batch, 1)
        else:
            stored = self.to_arrays(observation, 1)
        return stored.reshape(self.shape)


@dataclass(frozen=True)
class Actions:
    """How the actions of `space` are stored; make it with `actions_of`."""

    space: "Space[Any]"
    kind: Literal["discrete", "multi_discrete", "continuous"]
    shape: tuple[int, ...]
    """Shape of one stored action."""
    dtype: type[np.generic]
    sizes: tuple[int, ...]
    """Numbers of choices: (n,), one each for MultiDiscrete; (1, ..., 1) for continuous."""

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Stored actions [B, *shape] as the environment takes them, a batch of its space."""
        if self.kind == "continuous":
            return actions.reshape(len(actions), *self.space.shape).astype(
                self.space.dtype, copy=False
            )
        start = getattr(self.space, "start", 0)
        actions = actions + start if np.any(start) else actions
        return actions.astype(self.space.dtype, copy=False)


def observations_of(space: "Space[Any]") -> Observations:
    """How observations of `space` are stored.

    Raises:
        ValueError: a space without a fixed size.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        is_bytes = space.dtype == np.uint8
        kind: ObservationKind = "image" if is_bytes and len(space.shape) in (2, 3) else "box"
        return Observations(space, kind, space.shape, np.uint8 if is_bytes else np.float32)
    if isinstance(space, spaces.Discrete):
        return Observations(space, "discrete", (), np.int64, (int(space.n),))
    if isinstance(space, spaces.MultiDiscrete):
        sizes = tuple(int(n) for n in space.nvec.ravel())
        return Observations(space, "multi_discrete", (len(sizes),), np.int64, sizes)
    if isinstance(space, spaces.MultiBinary):
        return Observations(space, "multi_binary", (math.prod(space.shape),), np.float32)
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return Observations(space, "flat", (_flat_size(space),), np.float32)
    hint = "; give Box, Discrete, MultiDiscrete or a Dict"
    if type(space).__name__ == "MissionSpace":
        hint = ": name the wrapper minigrid_codes, which leaves out MiniGrid's text"
    raise ValueError(f"{space} has no fixed size{hint}")


def actions_of(space: "Space[Any]") -> Actions:
    """How actions of `space` are stored.

    Raises:
        ValueError: a space of another kind than Discrete, MultiDiscrete, Box.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return Actions(space, "discrete", (), np.int64, (int(space.n),))
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        sizes = tuple(int(n) for n in space.nvec)
        return Actions(space, "multi_discrete", (len(sizes),), np.int64, sizes)
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        size = math.prod(space.shape)
        return Actions(space, "continuous", (size,), np.float32, (1,) * size)
    raise ValueError(f"{space} cannot be acted in; give Discrete, MultiDiscrete or a Box of floats")


def _flat_size(space: "Space[Any]") -> int:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict | spaces.Tuple):
        return sum(_flat_size(part) for part in _parts(space))
    return math.prod(observations_of(space).feature_shape)


def _parts(space: Any) -> list["Space[Any]"]:
    return list(space.spaces.values() if hasattr(space.spaces, "values") else space.spaces)


def _flatten(space: Any, batch: Any, num_envs: int) -> NDArray[Any]:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        columns = [_flatten(part, batch[key], num_envs) for key, part in space.spaces.items()]
        return np.concatenate(columns, axis=1)
    if isinstance(space, spaces.Tuple):
        pairs = zip(space.spaces, batch, strict=True)
        return np.concatenate([_flatten(part, b, num_envs) for part, b in pairs], axis=1)
    own = observations_of(space)
    stored = own.to_arrays(batch, num_envs)
    if own.sizes:
        return one_hot(stored.reshape(num_envs, len(own.sizes)), own.sizes)
    return stored.reshape(num_envs, -1).astype(np.float32, copy=False)


def one_hot(values: NDArray[Any], sizes: tuple[int, ...]) -> NDArray[Any]:
    """[N, k] whole numbers as [N, sum(sizes)] float32 with a one in each of the k parts."""
    encoded = np.zeros((len(values), sum(sizes)), np.float32)
    starts = np.cumsum((0, *sizes[:-1]))
    encoded[np.arange(len(values))[:, None], values + starts] = 1.0
    return encoded
