"""What the figures must reach: ratios of two subjects measured in the same repetition."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from subjects import Measurement


@dataclass(frozen=True)
class Goal:
    """`figure` of `subject` over that of `reference`, both on `network`."""

    what: str
    figure: str
    network: str
    subject: str
    reference: str
    at_least: float | None = None
    at_most: float | None = None

    def ratios(self, repetitions: Sequence[Sequence[Measurement]]) -> list[float]:
        """One for each repetition in which both were measured."""
        found: list[float] = []
        for measurements in repetitions:
            figures = {
                m.subject: getattr(m, self.figure)
                for m in measurements
                if m.network == self.network
            }
            if self.subject in figures and self.reference in figures:
                found.append(figures[self.subject] / figures[self.reference])
        return found

    def judge(self, repetitions: Sequence[Sequence[Measurement]]) -> "Verdict | None":
        """The median of the ratios against the goal; None when it was not measured."""
        ratios = self.ratios(repetitions)
        return Verdict(self, median(ratios), ratios) if ratios else None


@dataclass(frozen=True)
class Verdict:
    """What was reached of a goal."""

    goal: Goal
    ratio: float
    ratios: Sequence[float]

    @property
    def is_reached(self) -> bool:
        """Whether the median is on the right side."""
        goal = self.goal
        if goal.at_least is not None:
            return self.ratio >= goal.at_least
        return goal.at_most is not None and self.ratio <= goal.at_most

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "what": self.goal.what,
            "ratio": round(self.ratio, 3),
            "ratios": [round(r, 3) for r in self.ratios],
            "at_least": self.goal.at_least,
            "at_most": self.goal.at_most,
            "reached": self.is_reached,
        }

    def row(self) -> tuple[str, str, str, str]:
        """For the table: what, the ratio and its range, what it should be, the verdict."""
        goal = self.goal
        bound = f">= {goal.at_least}" if goal.at_least is not None else f"<= {goal.at_most}"
        spread = f"{self.ratio:.2f}  ({min(self.ratios):.2f} to {max(self.ratios):.2f})"
        return goal.what, spread, bound, "reached" if self.is_reached else "MISSED"


def _rate(network: str, reference: str, at_least: float) -> Goal:
    what = f"{network}: samples/s, Trivium / {reference}"
    return Goal(what, "samples_per_s", network, "trivium", reference, at_least=at_least)


GOALS = (
    _rate("cnn", "limit", 0.95),
    _rate("cnn", "plain", 1.0),
    _rate("cnn", "plain, 2 loaders", 1.0),
    _rate("cnn", "lightning", 1.0),
    _rate("mlp", "limit", 0.85),
    _rate("mlp", "plain", 3.0),
    _rate("mlp", "plain, 2 loaders", 3.0),
    _rate("mlp", "lightning", 3.0),
    Goal(
        "seconds to the first step, one worker, Trivium / plain",
        "first_step_s",
        "cnn",
        "trivium",
        "plain",
        at_most=1.4,
    ),
    Goal(
        "seconds to the first step, two workers, Trivium / ray train",
        "first_step_s",
        "cnn",
        "trivium, 2 workers of 1 thread",
        "ray train",
        at_most=0.5,
    ),
    Goal(
        "samples/s, two workers of a thread / one worker of a thread",
        "samples_per_s",
        "cnn",
        "trivium, 2 workers of 1 thread",
        "trivium, 1 worker of 1 thread",
        at_least=1.7,
    ),
)
