"""A network of action values as an ONNX network: observations in, greedy actions out."""

from pathlib import Path

import torch
from torch import nn

from trivium.trainers.rl.dqn.network import QNetwork
from trivium.trainers.rl.dqn.settings import DqnJob
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.spaces import actions_of, observations_of
from trivium.trainers.rl.export import (
    describe_actions,
    describe_observations,
    example_observations,
    export_network,
)


def export_q_network(job: DqnJob, network: QNetwork, folder: Path) -> list[tuple[str, Path]]:
    """Write `network` into `folder`; see `export_network`."""
    env = make_one(job.env)
    try:
        observations, actions = (
            observations_of(env.observation_space),
            actions_of(env.action_space),
        )
    finally:
        env.close()
    contract = {
        "observation": describe_observations(observations),
        "action": describe_actions(actions),
        "values": "of the actions, the discounted return that each of them promises",
    }
    inputs = {"observation": example_observations(observations)}
    return export_network(
        job, GreedyValues(network), inputs, ["action", "values"], contract, folder
    )


class GreedyValues(nn.Module):
    """(action of the highest value [N], values [N, A]) of stored observations."""

    def __init__(self, network: QNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        values: torch.Tensor = self.network(observation)
        return values.argmax(1), values
