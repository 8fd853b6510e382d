"""The settings of the four tabular algorithms, which differ in their targets only."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trivium.platform.settings import ComponentSettings, component
from trivium.trainers.rl.decay import Decay, check_at_most
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.tabular.exploration import EpsilonGreedySettings

EXPLORATIONS = "trivium.trainers.registry:EXPLORATIONS"


class TabularSettings(ComponentSettings):
    """Settings of `q_learning`, `sarsa`, `expected_sarsa` and `double_q_learning`."""

    lr: Annotated[float, Field(gt=0)] | Decay | Literal["1/visits"] = 0.1
    """Step size in (0, 1]: a number, a decay {start, end, env_steps, shape}, or 1/visits, which
    averages all targets of an entry. Deterministic environments take 1."""
    lr_min: float = Field(0.0, ge=0, le=1)
    """With lr 1/visits: no step is smaller, so that early targets are forgotten; 0 is off."""
    gamma: float = Field(0.99, ge=0, le=1)
    """Discount of a reward one step later; 1 only where every episode ends."""
    exploration: Annotated[ComponentSettings, component(EXPLORATIONS)] = EpsilonGreedySettings()
    """How actions are tried: epsilon_greedy, softmax or ucb."""
    initial_value: float = 0.0
    """Value of entries never visited; above what can be reached, it drives exploration."""
    steps_per_update: int = Field(100, ge=1)
    """Steps of every copy between two looks at stop and evaluation."""

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if self.lr != "1/visits":
            check_at_most(self.lr, 1.0, "lr")
            if self.lr_min:
                raise ValueError("lr_min bounds lr 1/visits, and lr is not: leave lr_min out")
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
