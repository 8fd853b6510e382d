"""What the figures must reach: ratios of the medians of two subjects on one task."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from subjects import Measurement


@dataclass(frozen=True)
class Goal:
    """The learning time of `reference` over that of `subject`, or a figure of `subject` alone."""

    what: str
    task: str
    subject: str
    reference: str | None
    at_least: float | None = None
    at_most: float | None = None
    figure: str = "learning_s"

    def judge(self, measurements: Sequence[Measurement]) -> "Verdict | None":
        """The ratio of medians (or the median) against the goal; None when it was not measured.

        A subject that did not get there counts with the time it was given.
        """
        own = self._of(self.subject, measurements)
        if not own or (self.reference is not None and not self._of(self.reference, measurements)):
            return None
        value = median(own)
        if self.reference is not None:
            value = median(self._of(self.reference, measurements)) / value
        got_there = all(
            m.reached for m in measurements if (m.task, m.subject) == (self.task, self.subject)
        )
        return Verdict(self, value, got_there)

    def _of(self, subject: str, measurements: Sequence[Measurement]) -> list[float]:
        chosen = [m for m in measurements if m.task == self.task and m.subject == subject]
        return [float(getattr(m, self.figure)) for m in chosen]


@dataclass(frozen=True)
class Verdict:
    """What was reached of a goal."""

    goal: Goal
    value: float
    got_there: bool
    """Every seed of the subject reached the task's target."""

    @property
    def is_reached(self) -> bool:
        """Whether the value is on the right side and every seed got there."""
        goal = self.goal
        low = goal.at_least is None or self.value >= goal.at_least
        high = goal.at_most is None or self.value <= goal.at_most
        return low and high and self.got_there

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        goal = self.goal
        return {
            "what": goal.what,
            "value": round(self.value, 3),
            "at_least": goal.at_least,
            "at_most": goal.at_most,
            "reached": self.is_reached,
        }


GOALS = (
    Goal("CartPole PPO, times faster than SB3", "cartpole", "trivium ppo", "sb3 ppo", 5),
    Goal("CartPole PPO, times faster than stock RLlib", "cartpole", "trivium ppo", "rllib ppo", 25),
    Goal(
        "CartPole PPO, env steps/s with 4 epochs",
        "cartpole",
        "trivium ppo",
        None,
        40_000,
        figure="env_steps_per_s",
    ),
    Goal(
        "CartPole PPO, command to solved, s (PureJaxRL: 9 to 12 to compile, then 1.7)",
        "cartpole, command",
        "trivium train",
        None,
        at_most=10.7,
    ),
    Goal("CartPole DQN, times faster than SB3", "cartpole", "trivium dqn", "sb3 dqn", 2),
    Goal("LunarLander PPO, times faster than SB3", "lunarlander", "trivium ppo", "sb3 ppo", 2),
    Goal(
        "LunarLander PPO, times faster than stock RLlib",
        "lunarlander",
        "trivium ppo",
        "rllib ppo",
        4,
    ),
    *(
        Goal(
            f"{task}, times faster than the plain loop",
            task,
            "trivium q_learning",
            "plain loop",
            10,
        )
        for task in ("frozenlake8x8", "taxi", "cliffwalking")
    ),
    Goal(
        "two env runners over one, 50 us a step: env steps/s",
        "slow env",
        "two runners",
        "one runner",
        1.6,
    ),
)
