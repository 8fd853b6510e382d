"""Advantage actor-critic, the synchronous form of A3C (Mnih et al. 2016, arXiv 1602.01783).

It is PPO with one epoch of one minibatch: the ratio of new to old probabilities is then 1, where
the clip does nothing and the gradient is that of -A log p (Huang et al. 2022, arXiv 2205.09123).
Unlike the paper's, steps are taken by Adam.
"""

from pydantic import Field

from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.settings import RolloutSettings
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob, ActorCriticTrainer


class A2cSettings(RolloutSettings):
    """Settings of `a2c`."""

    rollout_steps: int = Field(8, ge=1)
    """Steps of each copy between two updates; times env.num_envs is the batch."""


class A2cJob(ActorCriticJob):
    """A job of `a2c`."""

    algorithm: A2cSettings

    def plan(self) -> Plan:
        """What the learner reads."""
        settings = self.algorithm
        return Plan(
            policy=settings,
            rollout_steps=settings.rollout_steps,
            gae_lambda=settings.gae_lambda,
            value_coefficient=settings.value_coefficient,
            shared=settings.shared,
        )


class A2c(ActorCriticTrainer):
    """The entry `a2c` of ALGORITHMS."""

    job_type = A2cJob
