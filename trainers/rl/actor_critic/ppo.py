"""Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347).

Rollouts of all copies, advantages by GAE, several epochs of minibatches on the clipped objective.
`a2c` is this with one epoch of one minibatch and no clip, `reinforce` is `a2c` on whole episodes.
"""

from typing import Self

from pydantic import Field, model_validator

from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.settings import RolloutSettings
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob, ActorCriticTrainer
from trivium.trainers.rl.decay import Decay, check_range, constant


class PpoSettings(RolloutSettings):
    """Settings of `ppo`."""

    epochs: int = Field(4, ge=1)
    """How often each update goes over its rollout."""
    minibatch_size: int = Field(256, ge=1)
    """Rows of one gradient step; it divides the batch."""
    clip: Decay = constant(0.2)
    """Ratios of new to old probabilities beyond 1 +- this gain nothing; a number or a decay."""
    value_clip: float | None = Field(None, gt=0)
    """How far the critic may move from its old values in one update; None is freely."""
    target_kl: float | None = Field(None, gt=0)
    """An update ends early when an epoch moved the policy 1.5 times this far; None is never."""

    @model_validator(mode="after")
    def _ppo_takes_effect(self) -> Self:
        check_range(self.clip, "clip", most=1.0, above=0.0)
        if self.target_kl is not None and self.epochs == 1:
            raise ValueError("target_kl ends an update between epochs, and epochs is 1: raise it")
        return self


class PpoJob(ActorCriticJob):
    """A job of `ppo`."""

    algorithm: PpoSettings

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        steps, size = self.algorithm.rollout_steps, self.algorithm.minibatch_size
        batch = self.num_copies * steps
        if batch % size:
            fitting = [n for n in range(1, batch + 1) if batch % n == 0]
            below = max(n for n in fitting if n < size or n == 1)
            above = min((n for n in fitting if n > size), default=batch)
            nearest = " or ".join(map(str, sorted({below, above})))
            raise ValueError(
                f"algorithm.minibatch_size {size} does not divide the rollout of {steps} steps x "
                f"{self.num_copies} copies = {batch}; nearest: {nearest}"
            )
        if self.algorithm.memory is not None and size < steps:
            raise ValueError(
                f"algorithm.minibatch_size {size}: with memory a minibatch holds whole sequences "
                f"of rollout_steps: give at least {steps}"
            )
        return self

    def plan(self) -> Plan:
        """What the learner reads."""
        settings = self.algorithm
        return Plan(
            policy=settings,
            rollout_steps=settings.rollout_steps,
            gae_lambda=settings.gae_lambda,
            value_coefficient=settings.value_coefficient,
            shared=settings.shared,
            epochs=settings.epochs,
            num_minibatches=self.num_copies * settings.rollout_steps // settings.minibatch_size,
            clip=settings.clip,
            value_clip=settings.value_clip,
            target_kl=settings.target_kl,
        )


class Ppo(ActorCriticTrainer):
    """The entry `ppo` of ALGORITHMS."""

    job_type = PpoJob
