"""The RLlib algorithm of the actor-critic family: collect, learn, collect again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trivium.trainers.rl.actor_critic.build import save_policy
from trivium.trainers.rl.actor_critic.learner import Learner
from trivium.trainers.rl.actor_critic.player import PolicyPlayer
from trivium.trainers.rl.actor_critic.runner import Runner
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob
from trivium.trainers.rl.algorithm import VectorAlgorithm
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.environment.wrappers import (
    ClipRewardSettings,
    NormalizeRewardSettings,
)
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.normalize import RewardScaler, RunningMoments
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.rollout import Rollout
from trivium.trainers.rl.seeds import derive_seed

TINY = 200_000
"""Parameters below which a second thread costs more than it brings."""


class ActorCritic(VectorAlgorithm):
    """PPO, and A2C and REINFORCE as its special cases: the job's `plan()` says which."""

    def prepare(self, job: RlJob) -> None:
        """See VectorAlgorithm."""
        assert isinstance(job, ActorCriticJob)
        plan = job.plan()
        self._env_steps = 0
        self._runner = Runner(job, plan, 0)
        self._policy = self._runner.policy
        if sum(p.numel() for p in self._policy.parameters()) < TINY:
            torch.set_num_threads(1)
        self._learner = Learner(self._policy, plan, derive_seed(job.seed, "learner"))
        encoder = self._policy.encoder
        self._moments = RunningMoments(encoder.shape) if encoder.clip is not None else None
        self._reward = RewardPipeline(job, plan.policy.gamma)

    def update(self) -> Mapping[str, float]:
        """See VectorAlgorithm."""
        rollout = self._runner.sample()
        self._env_steps += rollout.num_valid
        self._reward.apply(rollout)
        found = self._learner.update(rollout, self._env_steps)
        self._learn_statistics(rollout)
        return {f"train/{name}": value for name, value in found.items()}

    @property
    def env_steps(self) -> int:
        """See VectorAlgorithm."""
        return self._env_steps

    def take_episodes(self) -> list[Episode]:
        """See VectorAlgorithm."""
        return self._runner.take_episodes()

    def player(self) -> Player:
        """See VectorAlgorithm."""
        return PolicyPlayer(self._policy)

    def save_weights(self, folder: Path) -> None:
        """See VectorAlgorithm."""
        save_policy(self._policy, folder)

    def get_training_state(self) -> dict[str, Any]:
        """See VectorAlgorithm."""
        return {
            "env_steps": self._env_steps,
            "learner": self._learner.get_state(),
            "runners": [self._runner.get_state()],
            "moments": self._moments.get_state() if self._moments else None,
            "reward": self._reward.get_state(),
        }

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """See VectorAlgorithm."""
        self._env_steps = int(state["env_steps"])
        self._learner.set_state(state["learner"])
        if self._moments is not None:
            self._moments.set_state(state["moments"])
        self._reward.set_state(state["reward"])
        return self._runner.set_state(state["runners"][0])

    def _learn_statistics(self, rollout: Rollout) -> None:
        """Normalise the next rollout by what this one showed; within one, nothing moves."""
        if self._moments is None:
            return
        self._moments.add(rollout.obs[:-1][rollout.valid])
        mean, variance = self._moments.mean, self._moments.variance
        self._policy.encoder.update_statistics(
            torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(variance.astype(np.float32))
        )


class RewardPipeline:
    """The job's reward wrappers, in their order, on whole rollouts."""

    def __init__(self, job: RlJob, gamma: float) -> None:
        num_envs = job.env.num_envs * max(1, job.resources.num_env_runners)
        self._stages: list[RewardScaler | ClipRewardSettings] = []
        for wrapper in job.env.wrappers:
            if isinstance(wrapper, NormalizeRewardSettings):
                self._stages.append(RewardScaler(num_envs, gamma, wrapper.clip))
            elif isinstance(wrapper, ClipRewardSettings):
                self._stages.append(wrapper)

    def apply(self, rollout: Rollout) -> None:
        """Change the rewards of `rollout`, in which returns were already counted."""
        for stage in self._stages:
            if isinstance(stage, RewardScaler):
                ended = rollout.terminated | rollout.truncated
                rollout.rewards[:] = stage.scale(rollout.rewards, ended)
            else:
                np.clip(rollout.rewards, stage.low, stage.high, out=rollout.rewards)

    def get_state(self) -> list[Any]:
        """Plain data."""
        return [s.get_state() if isinstance(s, RewardScaler) else None for s in self._stages]

    def set_state(self, state: list[Any]) -> None:
        """Go on from `get_state`."""
        for stage, own in zip(self._stages, state, strict=True):
            if isinstance(stage, RewardScaler):
                stage.set_state(own)
