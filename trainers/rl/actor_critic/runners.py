"""Where rollouts come from: this process, or RLlib env runners in Ray actors.

A remote runner returns whole arrays, side by side with those of the others; weights go out once in
an update. Both kinds answer the same calls, so the algorithm does not know which it has.
"""

from pathlib import Path
from typing import Any, Protocol

import ray
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.env.env_runner import EnvRunner

from trivium.platform.job import check_job
from trivium.platform.registry import look_in
from trivium.platform.settings import dump
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.actor_critic.runner import Runner
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.remote import results
from trivium.trainers.rl.rollout import Rollout, join_copies


class Runners(Protocol):
    """One or several runners as one."""

    def sample(self) -> Rollout:
        """The next rollout of all copies, made with the current weights."""

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""

    def get_state(self) -> list[dict[str, Any]]:
        """Plain data of each runner."""

    def set_state(self, state: list[dict[str, Any]]) -> bool:
        """Go on from `get_state`; False when some environment had to start new episodes."""


class LocalRunners:
    """One runner in this process, acting with the very policy that learns."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def sample(self) -> Rollout:
        """See Runners."""
        return self._runner.sample()

    def take_episodes(self) -> list[Episode]:
        """See Runners."""
        return self._runner.take_episodes()

    def get_state(self) -> list[dict[str, Any]]:
        """See Runners."""
        return [self._runner.get_state()]

    def set_state(self, state: list[dict[str, Any]]) -> bool:
        """See Runners."""
        return self._runner.set_state(state[0])


class ActorCriticEnvRunner(EnvRunner):  # type: ignore[misc]
    """RLlib's kind of env runner around a Runner, for a Ray actor."""

    def __init__(
        self, *, config: AlgorithmConfig, job: dict[str, Any], base: Path, worker_index: int
    ) -> None:
        super().__init__(config=config, worker_index=worker_index)
        import torch

        torch.set_num_threads(1)
        look_in(base)
        read = check_job(job)
        assert isinstance(read, ActorCriticJob)
        self._runner = Runner(read, read.plan(), worker_index)

    def sample(self, weights: Any = None, **_: Any) -> tuple[Rollout, list[Episode]]:
        """Act with `weights` for a rollout; it comes with the episodes that ended meanwhile."""
        if weights is not None:
            self._runner.set_weights(weights)
        return self._runner.sample(), self._runner.take_episodes()

    def get_state(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return self._runner.get_state()

    def set_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_state`; False when environments had to start new episodes."""
        return self._runner.set_state(state)

    def get_spaces(self) -> dict[str, Any]:
        """The spaces, as RLlib asks for them."""
        environments = self._runner.environments
        return {"__env__": (environments.observations.space, environments.actions.space)}

    def assert_healthy(self) -> None:
        """There is a runner."""
        assert self._runner is not None

    def stop(self) -> None:
        """Free the environments."""
        self._runner.environments.close()


class RemoteRunners:
    """`resources.num_env_runners` actors, which act with the weights of `policy` at each call."""

    def __init__(self, job: ActorCriticJob, policy: Policy) -> None:
        self._policy = policy
        self._episodes: list[Episode] = []
        kind = ray.remote(num_cpus=1)(ActorCriticEnvRunner)
        config = AlgorithmConfig().env_runners(num_env_runners=job.resources.num_env_runners)
        data = dump(job)
        self._actors = [
            kind.remote(config=config, job=data, base=job.base, worker_index=i + 1)
            for i in range(job.resources.num_env_runners)
        ]

    def sample(self) -> Rollout:
        """See Runners."""
        weights = ray.put({k: v.cpu() for k, v in self._policy.state_dict().items()})
        found = results([actor.sample.remote(weights) for actor in self._actors], "env runner")
        for _, episodes in found:
            self._episodes += episodes
        return join_copies([rollout for rollout, _ in found])

    def take_episodes(self) -> list[Episode]:
        """See Runners."""
        taken, self._episodes = self._episodes, []
        return taken

    def get_state(self) -> list[dict[str, Any]]:
        """See Runners."""
        return results([actor.get_state.remote() for actor in self._actors], "env runner")

    def set_state(self, state: list[dict[str, Any]]) -> bool:
        """See Runners."""
        pairs = zip(self._actors, state, strict=True)
        return all(results([actor.set_state.remote(own) for actor, own in pairs], "env runner"))
