"""Settings that the members of the actor-critic family share."""

from typing import Literal, Self

from pydantic import Field, model_validator

from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.decay import Decay, check_range, constant


class PolicySettings(ComponentSettings):
    """What `reinforce`, `a2c` and `ppo` have in common."""

    lr: Decay = constant(0.001)
    """Step size of Adam, a number or a decay over env_steps."""
    gamma: float = Field(0.99, ge=0, le=1)
    """Discount of a reward one step later."""
    entropy_coefficient: Decay = constant(0.0)
    """Reward for undecided policies, a number or a decay; raise it when a policy settles early."""
    max_grad_norm: float | None = Field(0.5, gt=0)
    """Gradients longer than this are shortened to it; None leaves them."""
    normalize_advantages: bool = True
    """Bring the advantages of each update to mean 0 and standard deviation 1."""
    memory: int | None = Field(None, ge=1)
    """Units of an LSTM between the model and its heads, for what one observation does not show."""
    action_bounds: Literal["clip", "tanh"] = "clip"
    """How continuous actions stay within their bounds."""
    state_dependent_std: bool = False
    """The spread of continuous actions comes from the network instead of being learned apart."""
    initial_log_std: float = Field(0.0, ge=-5, le=2)
    """Logarithm of that spread at the start, in units of half the action's range."""
    policy_gain: float | None = Field(0.01, gt=0)
    """Scale of a new policy's last layer, small is nearly uniform; None leaves it as drawn."""

    @model_validator(mode="after")
    def _spread_takes_effect(self) -> Self:
        check_range(self.lr, "lr", most=1.0)
        if self.state_dependent_std and self.initial_log_std != 0.0:
            raise ValueError(
                "initial_log_std has no effect with state_dependent_std: leave one out"
            )
        return self


class RolloutSettings(PolicySettings):
    """What `a2c` and `ppo` have in common."""

    rollout_steps: int = Field(64, ge=1)
    """Steps of each copy between two updates; times env.num_envs is the batch."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Advantages between one-step differences (0, little variance) and returns (1, no bias)."""
    value_coefficient: float = Field(0.5, gt=0)
    """Weight of the critic's squared error in the loss."""
    shared: bool = False
    """Actor and critic share one network, which gives one more output, instead of having two."""

    @model_validator(mode="after")
    def _shares_once(self) -> Self:
        if self.memory is not None and self.shared:
            raise ValueError(
                "memory: its LSTM is shared by actor and critic already; leave out shared"
            )
        return self
