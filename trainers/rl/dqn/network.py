"""The network of `dqn`: stored observations to action values, and how it is made and read back."""

from pathlib import Path

import torch
from torch import nn

from trivium.platform.errors import UserError
from trivium.trainers.rl.dqn.settings import DqnJob
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.spaces import (
    Actions,
    Observations,
    actions_of,
    observations_of,
)
from trivium.trainers.rl.environment.wrappers import normalization_of
from trivium.trainers.rl.network import make_network as make_model
from trivium.trainers.rl.observation_encoder import ObservationEncoder
from trivium.trainers.rl.seeds import derive_seed

WEIGHTS = "weights.safetensors"


class QNetwork(nn.Module):
    """An encoder and the job's model, whose outputs are action values.

    Dueling: output 0 is the state's value V, the others advantages A of the actions, and
    Q = V + A - mean A. Both come from the model's last layer.
    """

    def __init__(self, encoder: ObservationEncoder, model: nn.Module, dueling: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.model = model
        self.dueling = dueling

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Stored observations [N, *shape] to action values [N, A]."""
        out: torch.Tensor = self.model(self.encoder(obs))
        return duel(out) if self.dueling else out


def duel(out: torch.Tensor) -> torch.Tensor:
    """[N, 1 + A], a value and advantages, to action values [N, A]."""
    advantages = out[:, 1:]
    return out[:, :1] + advantages - advantages.mean(dim=1, keepdim=True)


def make_network(job: DqnJob, observations: Observations, actions: Actions) -> QNetwork:
    """A new network, its weights drawn from the job's seed alone.

    Raises:
        UserError: actions are not Discrete, or the model does not fit the environment.
    """
    if actions.kind != "discrete":
        raise UserError.at(
            "env.id",
            f"{job.env.id} acts by {actions.space}, and dqn needs Discrete actions: use ppo, or "
            f"rllib/SAC for a Box",
        )
    dueling = job.algorithm.dueling
    clip = normalization_of(job.env)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(job.seed, "weights"))
        model = make_model(job, observations, actions.sizes[0] + int(dueling))
    return QNetwork(ObservationEncoder(observations, clip.clip if clip else None), model, dueling)


def open_network(job: DqnJob) -> QNetwork:
    """A new network for the spaces of the job's environment."""
    env = make_one(job.env)
    try:
        spaces = observations_of(env.observation_space), actions_of(env.action_space)
    finally:
        env.close()
    return make_network(job, *spaces)


def save_network(network: QNetwork, folder: Path) -> None:
    """Write the weights and statistics of `network` into `folder`."""
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)


def load_network(job: DqnJob, folder: Path) -> QNetwork:
    """The network in the checkpoint `folder`, on the CPU, ready to act."""
    from safetensors.torch import load_file

    network = open_network(job)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.eval()
