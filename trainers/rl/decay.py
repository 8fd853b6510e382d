"""A number that changes over environment steps: exploration rates, temperatures, step sizes."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from trivium.platform.settings import Settings


class Decay(Settings):
    """From `start` to `end` over `env_steps`, and `end` from there on."""

    start: float = Field(ge=0)
    """Value before the first step."""
    end: float = Field(ge=0)
    """Value from `env_steps` on."""
    env_steps: int = Field(ge=1)
    """Environment steps, all copies counted, until `end` is reached."""
    shape: Literal["linear", "exponential"] = "linear"
    """By equal differences, or by equal factors (then start and end must be above 0)."""

    @model_validator(mode="after")
    def _has_factors(self) -> Self:
        if self.shape == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError(
                f"an exponential decay never reaches or leaves 0 (start {self.start}, end "
                f"{self.end}): give a small positive value, or shape: linear"
            )
        return self

    def at(self, env_steps: int) -> float:
        """The value after `env_steps` environment steps."""
        share = min(env_steps / self.env_steps, 1.0)
        if self.shape == "linear":
            return self.start + share * (self.end - self.start)
        return math.exp((1 - share) * math.log(self.start) + share * math.log(self.end))


def value_at(number: "float | Decay", env_steps: int) -> float:
    """`number` itself, or what a decay has come to after `env_steps`."""
    return number.at(env_steps) if isinstance(number, Decay) else number


def check_at_most(number: "float | Decay", most: float, name: str) -> None:
    """Raise ValueError unless the setting called `name` stays at or below `most`."""
    largest = max(number.start, number.end) if isinstance(number, Decay) else number
    if largest > most:
        raise ValueError(f"{name} must be at most {most:g}, got {largest:g}")
