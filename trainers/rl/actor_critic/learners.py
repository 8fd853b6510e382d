"""Who learns from rollouts: this process, or several Ray actors that sum their gradients.

With N learners each takes its share of every minibatch (see `learner.py`), so N equal one up to
rounding. The acting policy, in this process and on the CPU, gets the new weights once an update.
"""

import contextlib
import copy
import os
import socket
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from trivium.platform.job import check_job
from trivium.platform.registry import look_in
from trivium.platform.settings import dump
from trivium.trainers.rl.actor_critic.build import make_policy, spaces_of
from trivium.trainers.rl.actor_critic.learner import Learner, Share
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.actor_critic.trainer import ActorCriticJob
from trivium.trainers.rl.remote import results
from trivium.trainers.rl.rollout import Rollout
from trivium.trainers.rl.seeds import derive_seed


class Learners(Protocol):
    """One or several learners as one."""

    def update(self, rollout: Rollout, env_steps: int) -> dict[str, float]:
        """Learn from `rollout`; the acting policy has the new weights when it returns."""

    def set_statistics(self, mean: NDArray[Any], variance: NDArray[Any]) -> None:
        """Normalise observations by these from now on, acting and learning."""

    def get_state(self) -> dict[str, Any]:
        """Plain data."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""


class LocalLearner:
    """Learns in this process, on its GPU when it has one."""

    def __init__(self, job: ActorCriticJob, policy: Policy) -> None:
        self._acting = policy
        self._device = learner_device(job)
        is_here = self._device.type == "cpu"
        self._policy = policy if is_here else copy.deepcopy(policy).to(self._device)
        self._learner = Learner(self._policy, job.plan(), derive_seed(job.seed, "learner"))

    def update(self, rollout: Rollout, env_steps: int) -> dict[str, float]:
        """See Learners."""
        found = self._learner.update(rollout, env_steps)
        if self._policy is not self._acting:
            self._acting.load_state_dict(self._policy.state_dict())
        return found

    def set_statistics(self, mean: NDArray[Any], variance: NDArray[Any]) -> None:
        """See Learners."""
        _set_statistics(self._policy, mean, variance)
        _set_statistics(self._acting, mean, variance)

    def get_state(self) -> dict[str, Any]:
        """See Learners."""
        return self._learner.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """See Learners."""
        self._learner.set_state(state)
        if self._policy is not self._acting:
            self._acting.load_state_dict(self._policy.state_dict())


class LearnerActor:
    """One of `count` learners, in a Ray actor."""

    def __init__(self, job: dict[str, Any], base: Path, index: int, count: int) -> None:
        look_in(base)
        read = check_job(job)
        assert isinstance(read, ActorCriticJob)
        self._index, self._count = index, count
        plan = read.plan()
        self._device = learner_device(read)
        self._policy = make_policy(read, plan, *spaces_of(read)).to(self._device)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
        share = Share(index, count, _add_up)
        seed = derive_seed(read.seed, "learner")
        self._learner = Learner(self._policy, plan, seed, share)

    def address(self) -> str:
        """Where the others can meet this learner."""
        with contextlib.closing(socket.socket()) as free:
            free.bind(("", 0))
            return f"tcp://{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def meet(self, address: str) -> None:
        """Wait until all learners are there."""
        backend = "nccl" if self._device.type == "cuda" else "gloo"
        torch.distributed.init_process_group(
            backend, init_method=address, rank=self._index, world_size=self._count
        )

    def update(self, rollout: Rollout, env_steps: int) -> Any:
        """Statistics, and from the first learner the new weights."""
        found = self._learner.update(rollout, env_steps)
        return found, self._weights() if self._index == 0 else None

    def set_statistics(self, mean: NDArray[Any], variance: NDArray[Any]) -> None:
        """Normalise observations by these from now on."""
        _set_statistics(self._policy, mean, variance)

    def get_state(self) -> dict[str, Any]:
        """Plain data; that of every learner is the same."""
        return _on_cpu(self._learner.get_state())  # type: ignore[no-any-return]

    def set_state(self, state: dict[str, Any]) -> Any:
        """Go on from `get_state`; the weights."""
        self._learner.set_state(state)
        return self._weights()

    def _weights(self) -> dict[str, torch.Tensor]:
        return {k: v.cpu() for k, v in self._policy.state_dict().items()}


class RemoteLearners:
    """`resources.num_learners` actors."""

    def __init__(self, job: ActorCriticJob, policy: Policy) -> None:
        self._acting = policy
        count = job.resources.num_learners
        gpus = 1 if wants_gpu(job) else 0
        kind = ray.remote(num_cpus=1, num_gpus=gpus)(LearnerActor)
        data = dump(job)
        self._actors = [kind.remote(data, job.base, index, count) for index in range(count)]
        if count > 1:
            (address,) = results([self._actors[0].address.remote()], "learner")
            results([actor.meet.remote(address) for actor in self._actors], "learner")

    def update(self, rollout: Rollout, env_steps: int) -> dict[str, float]:
        """See Learners."""
        shared = ray.put(rollout)
        calls = [actor.update.remote(shared, env_steps) for actor in self._actors]
        (found, weights), *_ = results(calls, "learner")
        self._acting.load_state_dict(weights)
        statistics: dict[str, float] = found
        return statistics

    def set_statistics(self, mean: NDArray[Any], variance: NDArray[Any]) -> None:
        """See Learners."""
        _set_statistics(self._acting, mean, variance)
        results([a.set_statistics.remote(mean, variance) for a in self._actors], "learner")

    def get_state(self) -> dict[str, Any]:
        """See Learners."""
        (state,) = results([self._actors[0].get_state.remote()], "learner")
        own: dict[str, Any] = state
        return own

    def set_state(self, state: dict[str, Any]) -> None:
        """See Learners."""
        weights, *_ = results([actor.set_state.remote(state) for actor in self._actors], "learner")
        self._acting.load_state_dict(weights)


def wants_gpu(job: ActorCriticJob) -> bool:
    """Whether learners are to have a GPU: when there is one, unless the job says 0."""
    return job.resources.gpus_per_worker != 0 and torch.cuda.is_available()


def learner_device(job: ActorCriticJob) -> torch.device:
    """Where a learner computes."""
    return torch.device("cuda" if wants_gpu(job) else "cpu")


def _add_up(tensor: torch.Tensor) -> None:
    torch.distributed.all_reduce(tensor)


def _set_statistics(policy: Policy, mean: NDArray[Any], variance: NDArray[Any]) -> None:
    policy.encoder.update_statistics(
        torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(variance.astype(np.float32))
    )


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    return {k: _on_cpu(v) for k, v in value.items()} if isinstance(value, dict) else value
