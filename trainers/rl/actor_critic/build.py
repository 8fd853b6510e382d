"""The policy that a job describes, new or from a checkpoint."""

from pathlib import Path

import torch
from torch import nn

from trivium.platform.errors import UserError
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.spaces import (
    Actions,
    Observations,
    actions_of,
    observations_of,
)
from trivium.trainers.rl.environment.wrappers import normalization_of
from trivium.trainers.rl.job import NetworkJob
from trivium.trainers.rl.network import make_network
from trivium.trainers.rl.seeds import derive_seed

WEIGHTS = "weights.safetensors"


def make_policy(
    job: NetworkJob, plan: Plan, observations: Observations, actions: Actions
) -> Policy:
    """A new policy, its weights drawn from the job's seed alone.

    Raises:
        UserError: the model does not fit the environment.
    """

    def make(output_size: int) -> nn.Module:
        network = make_network(job, observations, output_size)
        _check_is_steady(network)
        return network

    clip = normalization_of(job.env)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(job.seed, "weights"))
        return Policy(make, observations, actions, plan, clip.clip if clip else None)


def _check_is_steady(network: nn.Module) -> None:
    """What acts must be what learns, row for row; batch statistics and dropout are neither."""
    for module in network.modules():
        kind = type(module).__name__
        if "BatchNorm" in kind:
            raise UserError.at(
                "model",
                f"{kind} makes an action depend on the other copies: give normalization: none",
            )
        if "Dropout" in kind:
            raise UserError.at("model", f"{kind} changes the policy between acting and learning")


def spaces_of(job: NetworkJob) -> tuple[Observations, Actions]:
    """The spaces of the job's environment, as stored."""
    env = make_one(job.env)
    try:
        return observations_of(env.observation_space), actions_of(env.action_space)
    finally:
        env.close()


def save_policy(policy: Policy, folder: Path) -> None:
    """Write the weights and statistics of `policy` into `folder`."""
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in policy.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)


def load_policy(job: NetworkJob, plan: Plan, folder: Path) -> Policy:
    """The policy in the checkpoint `folder`, on the CPU, ready to act."""
    from safetensors.torch import load_file

    policy = make_policy(job, plan, *spaces_of(job))
    policy.load_state_dict(load_file(folder / WEIGHTS))
    return policy.eval()
