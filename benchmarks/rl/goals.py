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
        reference = self._of(self.reference, measurements)
        if not own or (self.reference is not None and not reference):
            return None
        got_there = all(m.reached for m in own)
        value = median(float(getattr(m, self.figure)) for m in own)
        if self.reference is None:
            return Verdict(self, value, got_there)
        times = sorted((m.learning_s, not m.reached) for m in reference)
        ratio = median(time for time, _ in times) / value
        return Verdict(self, ratio, got_there, times[len(times) // 2][1])

    def _of(self, subject: str | None, measurements: Sequence[Measurement]) -> list[Measurement]:
        return [m for m in measurements if m.task == self.task and m.subject == subject]


@dataclass(frozen=True)
class Verdict:
    """What was reached of a goal."""

    goal: Goal
    value: float
    got_there: bool
    """Every seed of the subject reached the task's target."""
    is_lower_bound: bool = False
    """The median of the reference is of runs that were stopped before they got there."""

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
            "value_is_lower_bound": self.is_lower_bound,
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
    *(
        Goal(
            f"{name} {version}, steps/s on one core",
            "env speed",
            f"{name}, {version}",
            None,
            at_least,
            figure="env_steps_per_s",
        )
        for name in ("GridDrive-v0", "Inventory-v0", "MachineCare-v0", "Recommend-v0")
        for version, at_least in (("vector", 1_000_000), ("scalar", 50_000))
    ),
)
