"""Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347).

Rollouts of all copies, advantages by GAE, several epochs of minibatches on the clipped objective.
`a2c` is this with one epoch of one minibatch and no clip, `reinforce` is `a2c` on whole episodes.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.trainer import ActorCriticTrainer
from trivium.trainers.rl.decay import Decay, constant
from trivium.trainers.rl.job import NetworkJob


class PpoSettings(ComponentSettings):
    """Settings of `ppo`."""

    lr: Decay = constant(0.001)
    """Step size of Adam, or its decay over env_steps."""
    gamma: float = Field(0.99, ge=0, le=1)
    """Discount of a reward one step later."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Advantages between one-step differences (0, little variance) and returns (1, no bias)."""
    rollout_steps: int = Field(64, ge=1)
    """Steps of each copy between two updates; times env.num_envs is the batch."""
    epochs: int = Field(4, ge=1)
    """How often each update goes over its rollout."""
    minibatch_size: int = Field(256, ge=1)
    """Rows of one gradient step; it divides the batch."""
    clip: Decay = constant(0.2)
    """Ratios of new to old probabilities beyond 1 +- this are not rewarded."""
    value_clip: float | None = Field(None, gt=0)
    """How far the critic may move from its old values in one update; None is freely."""
    value_coefficient: float = Field(0.5, ge=0)
    """Weight of the critic's squared error in the loss."""
    entropy_coefficient: Decay = constant(0.0)
    """Reward for undecided policies, or its decay; raise it when a policy settles too early."""
    max_grad_norm: float | None = Field(0.5, gt=0)
    """Gradients longer than this are shortened to it; None leaves them."""
    target_kl: float | None = Field(None, gt=0)
    """An update ends early when an epoch moved the policy 1.5 times this far; None is never."""
    normalize_advantages: bool = True
    """Bring the advantages of each rollout to mean 0 and deviation 1."""
    shared: bool = False
    """Actor and critic share one network, which gives one more output, instead of having two."""
    memory: int | None = Field(None, ge=1)
    """Units of an LSTM between the model and its heads, for what one observation does not show."""
    action_bounds: Literal["clip", "tanh"] = "clip"
    """How continuous actions stay in their bounds."""
    state_dependent_std: bool = False
    """The spread of continuous actions comes from the network instead of being learned apart."""
    initial_log_std: float = 0.0
    """Logarithm of that spread at the start, in units of half the action's range."""
    policy_gain: float | None = Field(0.01, gt=0)
    """Scale of a new policy's last layer: small is nearly uniform; None leaves it as drawn."""

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if self.memory is not None and self.shared:
            raise ValueError(
                "memory: the LSTM is shared by actor and critic already; leave out shared"
            )
        return self


class PpoJob(NetworkJob):
    """A job of `ppo`."""

    algorithm: PpoSettings
    uses_env_runners: ClassVar[bool] = True
    uses_learners: ClassVar[bool] = True

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        copies = self.env.num_envs * max(1, self.resources.num_env_runners)
        batch, size = copies * self.algorithm.rollout_steps, self.algorithm.minibatch_size
        if batch % size:
            fitting = [n for n in range(1, batch + 1) if batch % n == 0]
            below = max(n for n in fitting if n < size or n == 1)
            above = min((n for n in fitting if n > size), default=batch)
            raise ValueError(
                f"algorithm.minibatch_size {size} does not divide the rollout of "
                f"{self.algorithm.rollout_steps} steps x {copies} copies = {batch}; nearest: "
                f"{below} or {above}"
            )
        if self.algorithm.memory is not None and batch // size > copies:
            raise ValueError(
                f"algorithm.minibatch_size {size}: with memory a minibatch holds whole sequences "
                f"of {self.algorithm.rollout_steps} steps; give at least that"
            )
        return self

    def plan(self) -> Plan:
        """What the learner reads."""
        a = self.algorithm
        copies = self.env.num_envs * max(1, self.resources.num_env_runners)
        return Plan(
            lr=a.lr,
            gamma=a.gamma,
            gae_lambda=a.gae_lambda,
            rollout_steps=a.rollout_steps,
            epochs=a.epochs,
            num_minibatches=copies * a.rollout_steps // a.minibatch_size,
            clip=a.clip,
            value_clip=a.value_clip,
            value_coefficient=a.value_coefficient,
            entropy_coefficient=a.entropy_coefficient,
            max_grad_norm=a.max_grad_norm,
            target_kl=a.target_kl,
            normalize_advantages=a.normalize_advantages,
            has_critic=True,
            shared=a.shared,
            memory=a.memory,
            action_bounds=a.action_bounds,
            state_dependent_std=a.state_dependent_std,
            initial_log_std=a.initial_log_std,
            policy_gain=a.policy_gain,
        )


class Ppo(ActorCriticTrainer):
    """The entry `ppo` of ALGORITHMS."""

    job_type = PpoJob
