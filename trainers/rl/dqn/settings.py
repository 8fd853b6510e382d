"""The settings of `dqn`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from trivium.platform.settings import ComponentSettings, Settings, component
from trivium.trainers.rl.decay import Decay, check_range, constant
from trivium.trainers.rl.job import MODELS, NetworkJob


class PrioritizedSettings(Settings):
    """Replay in proportion to past errors (Schaul et al. 2016)."""

    alpha: float = Field(0.6, gt=0, le=1)
    """Power of the errors; towards 0 the draw becomes uniform."""
    beta: Decay = constant(0.4)
    """Power of the weights that correct for the uneven draw: a number up to 1, or a schedule."""
    epsilon: float = Field(0.01, gt=0)
    """Added to every error, so that nothing is forgotten."""

    @field_validator("beta")
    @classmethod
    def _is_share(cls, beta: Decay) -> Decay:
        return check_range(beta, "beta", most=1.0)


class DqnSettings(ComponentSettings):
    """Settings of `dqn`."""

    lr: float = Field(0.001, gt=0)
    """Step size of Adam."""
    gamma: float = Field(0.99, ge=0, le=1)
    """Discount of a reward one step later."""
    batch_size: int = Field(64, ge=1)
    """Transitions of each gradient step."""
    buffer_size: int = Field(100_000, ge=1)
    """Transitions kept for replay; the oldest give way."""
    learning_starts: int = Field(1_000, ge=0)
    """Environment steps, by random actions, before the first gradient step."""
    train_interval_env_steps: int = Field(16, ge=1)
    """Environment steps, all copies counted, between two rounds of gradient steps."""
    gradient_steps: int = Field(8, ge=1)
    """Gradient steps of a round."""
    epsilon: Decay = Decay(start=1.0, end=0.05, env_steps=10_000)
    """Probability of a random action: a number, or a decay {start, end, env_steps, shape}."""
    target_update_interval: int | None = Field(None, ge=1)
    """Gradient steps between copies of the network into its target; None moves it by target_tau."""
    target_tau: float | None = Field(None, gt=0, le=1)
    """Share by which the target moves towards the network in each gradient step; None is 0.005,
    unless target_update_interval is given."""
    double: bool = True
    """Choose the next action by the network, value it by the target (van Hasselt et al. 2016)."""
    dueling: bool = False
    """A value and advantages instead of action values (Wang et al. 2016): the model's last layer
    gives both."""
    n_step: int = Field(1, ge=1, le=100)
    """Rewards that are summed before the target bootstraps."""
    prioritized: PrioritizedSettings | None = None
    """Replay by priority; None draws evenly."""
    loss: Literal["huber", "mse"] = "huber"
    """huber: quadratic within an error of 1 and linear beyond."""
    max_grad_norm: float | None = Field(10.0, gt=0)
    """Gradients are scaled down to this norm; None is off."""
    steps_per_update: int = Field(64, ge=1)
    """Steps of every copy between two looks at stop and evaluation."""

    @field_validator("epsilon")
    @classmethod
    def _is_probability(cls, epsilon: Decay) -> Decay:
        return check_range(epsilon, "epsilon", most=1.0)

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if self.target_update_interval is not None and self.target_tau is not None:
            raise ValueError(
                "target_update_interval copies the network at once, target_tau moves it slowly: "
                "keep one"
            )
        if self.batch_size > self.buffer_size:
            raise ValueError(
                f"batch_size {self.batch_size} is more than the {self.buffer_size} transitions "
                f"that buffer_size keeps"
            )
        return self

    @property
    def tau(self) -> float:
        """The share of a soft target update."""
        return 0.005 if self.target_tau is None else self.target_tau


class DqnJob(NetworkJob):
    """A job that learns action values by a network."""

    model: Annotated[ComponentSettings, component(MODELS)]
    """The network's structure; it gets input_shape and output_size from the environment."""
    algorithm: DqnSettings
    """How it is learned."""

    @model_validator(mode="after")
    def _wrappers_take_effect(self) -> Self:
        if any(w.name == "normalize_reward" for w in self.env.wrappers):
            raise ValueError(
                "env.wrappers: normalize_reward changes its scale as it learns, and replayed "
                "rewards would keep old ones: take clip_reward, or leave it out"
            )
        return self
