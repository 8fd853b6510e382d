"""Wrappers that a job may name under `env.wrappers`.

Those on the observation's or reward's statistics act on whole batches, inside the rollout and the
policy, so that their statistics are saved with the weights; `is_batch_wrapper` tells them. The
others are Gymnasium's own and wrap every single environment, for which a native vector version is
passed over. A user's wrapper is a class `MyWrapper(gymnasium.Wrapper)` with a parameter `env`.
"""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import observations_of

if TYPE_CHECKING:
    from gymnasium import Env


class NormalizeObservationSettings(ComponentSettings):
    """Settings of `normalize_observation`."""

    clip: float = Field(10.0, gt=0)
    """Normalised values are cut to within plus and minus this many standard deviations."""


class NormalizeRewardSettings(ComponentSettings):
    """Settings of `normalize_reward`."""

    clip: float = Field(10.0, gt=0)
    """Scaled rewards are cut to within plus and minus this."""


class ClipRewardSettings(ComponentSettings):
    """Settings of `clip_reward`."""

    low: float = -1.0
    """Smaller rewards count as this."""
    high: float = 1.0
    """Larger rewards count as this."""


class TimeLimitSettings(ComponentSettings):
    """Settings of `time_limit`."""

    steps: int = Field(ge=1)
    """Truncate episodes after this many steps, instead of the environment's own limit."""


class FrameStackSettings(ComponentSettings):
    """Settings of `frame_stack`."""

    frames: int = Field(4, ge=2, le=64)
    """How many of the last observations make one."""


class FlattenSettings(ComponentSettings):
    """Settings of `flatten`."""


class MinigridCodesSettings(ComponentSettings):
    """Settings of `minigrid_codes`."""


def normalize_observation(settings: NormalizeObservationSettings) -> NormalizeObservationSettings:
    """Observations minus their running mean over their running standard deviation."""
    return settings


def normalize_reward(settings: NormalizeRewardSettings) -> NormalizeRewardSettings:
    """Rewards over the running standard deviation of the discounted return; learning sees these,
    reported returns are the environment's own.
    """
    return settings


def clip_reward(settings: ClipRewardSettings) -> ClipRewardSettings:
    """Rewards cut to a range for learning; reported returns are the environment's own.

    Raises:
        ValueError: an empty range.
    """
    if settings.low >= settings.high:
        raise ValueError(f"low must be less than high, got {settings.low} and {settings.high}")
    return settings


def time_limit(settings: TimeLimitSettings) -> TimeLimitSettings:
    """Episodes truncated after a number of steps."""
    return settings


def frame_stack(settings: FrameStackSettings, env: "Env[Any, Any]") -> "Env[Any, Any]":
    """The last observations as one; frames of an image become channels, [H, W, frames * C]."""
    import gymnasium
    import numpy as np

    stacked = gymnasium.wrappers.FrameStackObservation(env, settings.frames)
    shape = env.observation_space.shape
    if shape is None or len(shape) not in (2, 3):
        return stacked
    space = stacked.observation_space

    def join(frames: Any) -> Any:
        moved = np.moveaxis(frames, 0, -2) if len(shape) == 3 else np.moveaxis(frames, 0, -1)
        return moved.reshape(*shape[:2], -1)

    joined = gymnasium.spaces.Box(join(space.low), join(space.high), dtype=space.dtype)
    return gymnasium.wrappers.TransformObservation(stacked, join, joined)


def flatten(settings: FlattenSettings, env: "Env[Any, Any]") -> "Env[Any, Any]":
    """Observations of any kind as one vector.

    Raises:
        ValueError: a part of the observations has no fixed size, such as a text.
    """
    import gymnasium

    observations_of(env.observation_space)
    return gymnasium.wrappers.FlattenObservation(env)


def minigrid_codes(settings: MinigridCodesSettings, env: "Env[Any, Any]") -> "Env[Any, Any]":
    """MiniGrid's view and compass as whole numbers, one-hot to a network; its text is left out.

    MultiDiscrete: kind, colour and state of each cell in view, row by row, then the direction.

    Raises:
        ValueError: an environment that is not MiniGrid's.
    """
    import gymnasium
    import numpy as np

    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Dict) or set(space) != {
        "direction",
        "image",
        "mission",
    }:
        raise ValueError(f"it reads MiniGrid's direction and image, and this has {space}")
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

    cell = [max(codes.values()) + 1 for codes in (OBJECT_TO_IDX, COLOR_TO_IDX, STATE_TO_IDX)]
    cells = int(np.prod(space["image"].shape[:2]))
    codes = gymnasium.spaces.MultiDiscrete([*cell * cells, space["direction"].n])

    def read(observation: Any) -> Any:
        return np.append(observation["image"].astype(np.int64), observation["direction"])

    return gymnasium.wrappers.TransformObservation(env, read, codes)


_BATCH = ("normalize_observation", "normalize_reward", "clip_reward", "time_limit")


def is_batch_wrapper(settings: ComponentSettings) -> bool:
    """Whether this wrapper acts on whole batches instead of single environments."""
    return settings.name in _BATCH


def time_limit_of(settings: EnvSettings) -> int | None:
    """The limit of episodes that the job sets, by either way of writing it."""
    for wrapper in settings.wrappers:
        if isinstance(wrapper, TimeLimitSettings):
            return wrapper.steps
    return settings.max_episode_steps


def normalization_of(settings: EnvSettings) -> NormalizeObservationSettings | None:
    """The settings of normalize_observation when the job names it."""
    found = [w for w in settings.wrappers if isinstance(w, NormalizeObservationSettings)]
    return found[0] if found else None
