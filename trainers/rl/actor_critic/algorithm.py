"""The RLlib algorithm of the actor-critic family: collect, learn, collect again."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from trivium.trainers.rl.actor_critic.build import make_policy, save_policy
from trivium.trainers.rl.actor_critic.learners import Learners, LocalLearner, RemoteLearners
from trivium.trainers.rl.actor_critic.player import PolicyPlayer
from trivium.trainers.rl.actor_critic.runner import Runner
from trivium.trainers.rl.actor_critic.runners import LocalRunners, RemoteRunners, Runners
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob
from trivium.trainers.rl.algorithm import VectorAlgorithm
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.spaces import actions_of, observations_of
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.normalize import RewardPipeline, RunningMoments
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.rollout import Rollout

TINY = 200_000
"""Parameters below which a second thread costs more than it brings."""


class ActorCritic(VectorAlgorithm):
    """PPO, and A2C and REINFORCE as its special cases: the job's `plan()` says which."""

    def prepare(self, job: RlJob) -> None:
        """See VectorAlgorithm."""
        assert isinstance(job, ActorCriticJob)
        self._env_steps = 0
        self._ray = ExitStack()
        resources, plan = job.resources, job.plan()
        actors = resources.num_env_runners + resources.num_learners
        if actors:
            from trivium.trainers.local_ray import ray_session

            self._ray.enter_context(ray_session(num_cpus=actors, working_dir=job.base))
        self._runners: Runners
        if resources.num_env_runners:
            env = make_one(job.env)
            spaces = observations_of(env.observation_space), actions_of(env.action_space)
            env.close()
            self._policy = make_policy(job, plan, *spaces)
            self._runners = RemoteRunners(job, self._policy)
        else:
            runner = Runner(job, plan, 0)
            self._policy, self._runners = runner.policy, LocalRunners(runner)
        if sum(p.numel() for p in self._policy.parameters()) < TINY:
            torch.set_num_threads(1)
        learners = RemoteLearners if resources.num_learners else LocalLearner
        self._learners: Learners = learners(job, self._policy)
        encoder = self._policy.encoder
        self._moments = RunningMoments(encoder.shape) if encoder.clip is not None else None
        self._rewards = RewardPipeline(job.env.wrappers, job.num_copies, plan.policy.gamma)

    def update(self) -> Mapping[str, float]:
        """See VectorAlgorithm."""
        rollout = self._runners.sample()
        self._env_steps += rollout.num_valid
        self._rewards.apply(rollout)
        found = self._learners.update(rollout, self._env_steps)
        self._learn_statistics(rollout)
        return {f"train/{name}": value for name, value in found.items()}

    @property
    def env_steps(self) -> int:
        """See VectorAlgorithm."""
        return self._env_steps

    def take_episodes(self) -> list[Episode]:
        """See VectorAlgorithm."""
        return self._runners.take_episodes()

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
            "learner": self._learners.get_state(),
            "runners": self._runners.get_state(),
            "moments": self._moments.get_state() if self._moments else None,
            "rewards": self._rewards.get_state(),
        }

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """See VectorAlgorithm."""
        self._env_steps = int(state["env_steps"])
        self._learners.set_state(state["learner"])
        if self._moments is not None:
            self._moments.set_state(state["moments"])
        self._rewards.set_state(state["rewards"])
        return self._runners.set_state(state["runners"])

    def cleanup(self) -> None:
        """Stop the Ray that `prepare` started, when it did."""
        self._ray.close()

    def _learn_statistics(self, rollout: Rollout) -> None:
        """Normalise the next rollout by what this one showed; within one, nothing moves."""
        if self._moments is not None:
            self._moments.add(rollout.obs[:-1][rollout.valid])
            self._learners.set_statistics(self._moments.mean, self._moments.variance)
