"""The `env` section of a job: in reinforcement learning the environment is the dataset."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from trivium.platform.settings import ComponentSettings, Many, Settings, component

WRAPPERS = "trivium.trainers.registry:WRAPPERS"


class EnvSettings(Settings):
    """Which environment is learned, how many copies of it step together, and what wraps it."""

    id: str = Field(min_length=1)
    """A Gymnasium id (CartPole-v1, trivium/Inventory-v0), or your own class as my_env.py:MyEnv."""
    num_envs: int = Field(16, ge=1, le=65_536)
    """Copies that step together, in each env runner."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the environment's constructor."""
    max_episode_steps: int | None = Field(None, ge=1)
    """Truncate episodes after this many steps; None keeps the environment's own limit."""
    wrappers: Many[Annotated[ComponentSettings, component(WRAPPERS)]] = ()
    """Applied first to last, each a name with its settings, or your own as my_file.py:MyWrapper."""

    @model_validator(mode="after")
    def _wrappers_once(self) -> Self:
        names = [w.name for w in self.wrappers]
        for name in ("normalize_observation", "normalize_reward", "clip_reward", "time_limit"):
            if names.count(name) > 1:
                raise ValueError(f"wrappers: {name} is there twice; keep one")
        if self.max_episode_steps is not None and "time_limit" in names:
            raise ValueError(
                "max_episode_steps and the wrapper time_limit are the same limit: keep one"
            )
        return self
