"""What a part of the comparison found: figures to keep, and goals with what was reached."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure and the bound that it must keep."""

    what: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the figure is on the right side of its bounds."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def row(self) -> str:
        """A line for the terminal."""
        bound = f"at most {self.at_most:g}" if self.at_most is not None else ""
        bound = bound or f"at least {self.at_least:g}"
        mark = "reached" if self.is_reached else "MISSED"
        return f"  {mark:<8} {self.what}: {self.value:.3f} ({bound})"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        bounds = {"at_most": self.at_most, "at_least": self.at_least}
        given = {k: v for k, v in bounds.items() if v is not None}
        return {
            "what": self.what,
            "value": round(self.value, 4),
            **given,
            "reached": self.is_reached,
        }


@dataclass(frozen=True)
class Found:
    """What one part measured."""

    goals: list[Goal]
    figures: dict[str, Any] = field(default_factory=dict)
    """Everything the goals are made of, as plain data."""
