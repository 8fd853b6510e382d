"""Steps environments with the current policy; in this process, or in a Ray actor of its own."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.actor_critic.build import make_policy
from trivium.trainers.rl.actor_critic.inference import Inference
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.environment.vector import Environments, Episode
from trivium.trainers.rl.job import NetworkJob
from trivium.trainers.rl.rollout import Rollout, collect, empty_rollout, join_steps
from trivium.trainers.rl.seeds import derive_seed


class Runner:
    """`num_envs` copies, and the random numbers that act in them."""

    def __init__(self, job: NetworkJob, plan: Plan, index: int, policy: Policy | None = None):
        self._environments = Environments(job.env)
        self._policy = policy or make_policy(
            job, plan, self._environments.observations, self._environments.actions
        )
        self._inference = Inference(self._policy)
        self._steps = plan.rollout_steps
        self._generator = np.random.default_rng(derive_seed(job.seed, "actions", index))
        self._environments.reset(derive_seed(job.seed, "environments", index))
        self._rollout: Rollout | None = None
        self._episodes: list[Episode] = []
        self._memory: Any = None
        if plan.policy.memory is not None:
            self._memory = self._policy.initial_memory(self._environments.num_envs)

    @property
    def environments(self) -> Environments:
        """What it steps."""
        return self._environments

    @property
    def policy(self) -> Policy:
        """What it acts with."""
        return self._policy

    def set_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Act with these from now on."""
        self._policy.load_state_dict(weights)

    @torch.inference_mode()
    def sample(self) -> Rollout:
        """The next rollout; its arrays are used again by the next call."""
        environments, steps = self._environments, self._steps
        if steps is None:
            return self._sample_episodes()
        if self._rollout is None:
            self._rollout = self._empty(steps)
        rollout = self._rollout
        if self._memory is not None:
            rollout.memory = (self._memory[0].numpy(), self._memory[1].numpy())
        distribution = self._policy.distribution
        noise = distribution.noise(self._generator, (steps, environments.num_envs))

        def act(obs: NDArray[Any], starting: NDArray[np.bool_], t: int) -> Any:
            parameters = self._parameters(obs, starting)
            actions = distribution.sample(parameters, noise[t])
            return distribution.bounded(actions), actions, parameters

        collect(environments, act, rollout)
        return rollout

    def _sample_episodes(self) -> Rollout:
        """One episode of each copy, from new seeds; rows after its end are not valid."""
        environments = self._environments
        environments.reset(int(self._generator.integers(2**31)))
        distribution, steps = self._policy.distribution, []
        over = np.zeros(environments.num_envs, np.bool_)

        def act(obs: NDArray[Any], starting: NDArray[np.bool_], t: int) -> Any:
            parameters = self._parameters(obs, starting)
            noise = distribution.noise(self._generator, (environments.num_envs,))
            actions = distribution.sample(parameters, noise)
            return distribution.bounded(actions), actions, parameters

        while not over.all():
            part = self._empty(1)
            collect(environments, act, part)
            part.valid &= ~over
            self._episodes += environments.take_ended(~over)
            over |= (part.terminated | part.truncated)[0]
            steps.append(part)
        return join_steps(steps)

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        taken = self._episodes if self._steps is None else self._environments.take_episodes()
        self._episodes = []
        return taken

    def get_state(self) -> dict[str, Any]:
        """Plain data."""
        memory = None if self._memory is None else [m.numpy() for m in self._memory]
        return {
            "environments": self._environments.get_state(),
            "generator": self._generator.bit_generator.state,
            "memory": memory,
        }

    def set_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_state`; False when the environments had to start new episodes."""
        self._generator.bit_generator.state = state["generator"]
        if state["environments"] is None or not self._environments.set_state(state["environments"]):
            return False
        if state["memory"] is not None:
            self._memory = tuple(torch.from_numpy(np.array(m)) for m in state["memory"])
        return True

    def _empty(self, steps: int) -> Rollout:
        environments = self._environments
        return empty_rollout(
            steps,
            environments.num_envs,
            environments.observations,
            environments.actions,
            self._policy.distribution.num_parameters,
        )

    def _parameters(self, obs: NDArray[Any], starting: NDArray[np.bool_]) -> NDArray[np.float32]:
        stored = torch.from_numpy(obs)
        if self._memory is None:
            out: NDArray[np.float32] = self._inference.parameters(stored).numpy()
            return out
        parameters, _, self._memory = self._policy.step(
            stored, torch.from_numpy(starting), self._memory
        )
        return parameters.numpy()
