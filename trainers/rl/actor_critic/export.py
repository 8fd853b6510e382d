"""An actor-critic policy as an ONNX network: observations in, greedy actions out."""

from pathlib import Path

import torch
from torch import nn

from trivium.trainers.rl.actor_critic.build import spaces_of
from trivium.trainers.rl.actor_critic.distributions import Gaussian
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.export import (
    describe_actions,
    describe_observations,
    example_observations,
    export_network,
)
from trivium.trainers.rl.job import NetworkJob

ROWS = 8


def export_policy(job: NetworkJob, policy: Policy, folder: Path) -> list[tuple[str, Path]]:
    """Write `policy` into `folder`; see `export_network`."""
    observations, actions = spaces_of(job)
    inputs = {"observation": example_observations(observations, ROWS)}
    outputs = ["action", "parameters"]
    if policy.memory_size is not None:
        hidden, cell = policy.initial_memory(ROWS)
        inputs |= {"starting": torch.zeros(ROWS, dtype=torch.bool), "hidden": hidden, "cell": cell}
        outputs += ["hidden_next", "cell_next"]
    kind = type(policy.distribution).__name__
    contract = {
        "observation": describe_observations(observations),
        "action": describe_actions(actions),
        "parameters": f"of the {kind} distribution to draw from instead of taking its best action",
    }
    if policy.memory_size is not None:
        contract["memory"] = "give hidden_next and cell_next back as hidden and cell; zeros first"
    network = Greedy(policy) if policy.memory_size is None else GreedyWithMemory(policy)
    return export_network(job, network, inputs, outputs, contract, folder)


class Greedy(nn.Module):
    """(action, parameters) of stored observations."""

    middle: torch.Tensor
    half_range: torch.Tensor

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        distribution = policy.distribution
        self.sizes = getattr(distribution, "sizes", ())
        self.is_single = getattr(distribution, "is_single", False)
        self.gaussian = distribution if isinstance(distribution, Gaussian) else None
        if self.gaussian is not None:
            self.register_buffer("middle", torch.from_numpy(self.gaussian.middle))
            self.register_buffer("half_range", torch.from_numpy(self.gaussian.half))

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """See the class."""
        parameters = self.policy.act(observation)
        return self.best(parameters), parameters

    def best(self, parameters: torch.Tensor) -> torch.Tensor:
        """The most likely actions, in the space of the environment from 0."""
        if self.gaussian is None:
            if self.is_single:
                return parameters.argmax(1)
            return torch.stack([p.argmax(1) for p in parameters.split(self.sizes, 1)], 1)
        mean = parameters[:, : self.gaussian.size]
        if not self.gaussian.is_bounded:
            return mean
        is_tanh = self.gaussian.bounds == "tanh"
        unit = torch.tanh(mean) if is_tanh else mean.clamp(-1.0, 1.0)
        scaled: torch.Tensor = self.middle + self.half_range * unit
        return scaled


class GreedyWithMemory(Greedy):
    """The same of a policy that remembers; its memory goes in and comes out."""

    def forward(  # type: ignore[override]
        self,
        observation: torch.Tensor,
        starting: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        """See the class; `starting` [N], `hidden` and `cell` [N, size]."""
        parameters, _, (hidden, cell) = self.policy.step(observation, starting, (hidden, cell))
        return self.best(parameters), parameters, hidden, cell
