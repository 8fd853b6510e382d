"""The settings of the four tabular algorithms, which differ in their targets only."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from trivium.platform.settings import ComponentSettings, component
from trivium.trainers.rl.decay import Decay, check_range, constant
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.tabular.exploration import EpsilonGreedySettings

EXPLORATIONS = "trivium.trainers.registry:EXPLORATIONS"


class TabularSettings(ComponentSettings):
    """Settings of `q_learning`, `sarsa`, `expected_sarsa` and `double_q_learning`."""

    lr: Decay = constant(0.1)
    """Step size from 0 to 1: a number, or a decay {start, end, env_steps, shape}. Deterministic
    environments take 1."""
    average_first: bool = False
    """Average the first 1/lr targets of each entry (step size 1/visits), then step by lr; with
    lr 0 an entry is the mean of all its targets."""
    gamma: float = Field(0.99, ge=0, le=1)
    """Discount of a reward one step later; 1 only where every episode ends."""
    exploration: Annotated[ComponentSettings, component(EXPLORATIONS, unnamed="epsilon_greedy")] = (
        EpsilonGreedySettings()
    )
    """How actions are tried: epsilon_greedy, softmax or ucb."""
    initial_value: float = 0.0
    """Value of entries never visited; above what can be reached, it drives exploration."""
    steps_per_update: int = Field(100, ge=1)
    """Steps of every copy between two looks at stop and evaluation."""

    @model_validator(mode="after")
    def _steps(self) -> Self:
        check_range(self.lr, "lr", most=1.0, above=-1.0 if self.average_first else 0.0)
        return self


class TabularJob(RlJob):
    """A job that learns a table; it has no model."""

    algorithm: TabularSettings
    """How it is learned."""

    @model_validator(mode="after")
    def _wrappers_take_effect(self) -> Self:
        for wrapper in self.env.wrappers:
            if wrapper.name in ("normalize_observation", "normalize_reward", "clip_reward"):
                raise ValueError(
                    f"env.wrappers: {wrapper.name} scales what a network reads, and "
                    f"{self.algorithm.name} learns a table: leave it out"
                )
        return self
