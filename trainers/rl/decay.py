"""A number that may change over environment steps: exploration rates, temperatures, step sizes."""

import math
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_serializer, model_validator

from trivium.platform.settings import Settings


def _or_number(schema: dict[str, Any]) -> None:
    own = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "number"}, own]


class Decay(Settings):
    """From `start` to `end` over `env_steps`, and `end` from there on; or just a number."""

    model_config = ConfigDict(json_schema_extra=_or_number)

    start: float = Field(ge=0)
    """Value before the first step."""
    end: float = Field(ge=0)
    """Value from `env_steps` on."""
    env_steps: int = Field(ge=1)
    """Environment steps, all copies counted, until `end` is reached."""
    shape: Literal["linear", "exponential"] = "linear"
    """By equal differences, or by equal factors (then start and end must be above 0)."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"start": value, "end": value, "env_steps": 1} if is_number else value

    @model_validator(mode="after")
    def _has_factors(self) -> Self:
        if self.shape == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError(
                f"an exponential decay never reaches or leaves 0 (start {self.start:g}, end "
                f"{self.end:g}): give a small positive value, or shape: linear"
            )
        return self

    @model_serializer(mode="wrap")
    def _to_number(self, handler: Any) -> Any:
        return self.start if self.is_constant else handler(self)

    @property
    def is_constant(self) -> bool:
        """Whether it is just a number."""
        return self.start == self.end

    def at(self, env_steps: int) -> float:
        """The value after `env_steps` environment steps."""
        share = min(env_steps / self.env_steps, 1.0)
        if self.shape == "linear":
            return self.start + share * (self.end - self.start)
        return math.exp((1 - share) * math.log(self.start) + share * math.log(self.end))


def constant(value: float) -> Decay:
    """A number that does not change, as the default of a setting."""
    return Decay(start=value, end=value, env_steps=1)


def check_range(decay: Decay, name: str, *, most: float = math.inf, above: float = -1.0) -> Decay:
    """`decay`, whose values must be above `above` and at most `most`.

    Raises:
        ValueError: they are not, calling the setting by its `name`.
    """
    low, high = min(decay.start, decay.end), max(decay.start, decay.end)
    if high > most:
        raise ValueError(f"{name} must be at most {most:g}, got {high:g}")
    if low <= above:
        raise ValueError(f"{name} must stay above {above:g}, got {low:g}")
    return decay
