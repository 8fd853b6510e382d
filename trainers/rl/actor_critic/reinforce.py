"""REINFORCE (Williams 1992): the policy gradient of whole episodes, weighted by their returns.

It is A2C whose rollout is one whole episode of each copy and whose advantage is the return
(`gae_lambda` 1) less a baseline. Every copy starts anew with each update and all finish, so short
episodes do not count more than long ones; copies that finish first wait for the last.
"""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.settings import PolicySettings
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob, ActorCriticTrainer
from trivium.trainers.rl.environment.make import step_limit


class ReinforceSettings(PolicySettings):
    """Settings of `reinforce`."""

    baseline: Literal["critic", "mean", "none"] = "mean"
    """Taken from the returns to lower their variance: a learned value of the observation, which
    also bootstraps truncated episodes; or the mean of the update's returns, by
    normalize_advantages; or nothing."""

    @model_validator(mode="after")
    def _baseline_takes_effect(self) -> Self:
        if self.baseline == "mean" and not self.normalize_advantages:
            raise ValueError("baseline mean is what normalize_advantages subtracts: leave it true")
        if self.baseline == "none" and self.normalize_advantages:
            raise ValueError(
                "baseline none: normalize_advantages subtracts the mean; set it to false"
            )
        if self.memory is not None:
            raise ValueError("memory: reinforce has none; a2c and ppo have")
        return self


class ReinforceJob(ActorCriticJob):
    """A job of `reinforce`."""

    algorithm: ReinforceSettings
    uses_env_runners: ClassVar[bool] = False

    def plan(self) -> Plan:
        """What the learner reads."""
        return Plan(
            policy=self.algorithm,
            rollout_steps=None,
            gae_lambda=1.0,
            value_coefficient=0.5,
            shared=False,
            has_critic=self.algorithm.baseline == "critic",
        )


class Reinforce(ActorCriticTrainer):
    """The entry `reinforce` of ALGORITHMS."""

    job_type = ReinforceJob

    def own_problems(self) -> list[str]:
        """See RlTrainer."""
        problems = super().own_problems()
        if step_limit(self.job.env) is None:
            problems.append(
                f"env.max_episode_steps: is required: reinforce learns from whole episodes, and "
                f"{self.job.env.id} has no limit on their length"
            )
        return problems
