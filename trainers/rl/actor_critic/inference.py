"""What a policy says when nothing is learned from it: while acting, and to value a rollout."""

import torch

from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.dense import Dense, dense_of


class Inference:
    """`policy` as it is at each moment, without memory; plain perceptrons are written out.

    A module's call costs a small network as much as its arithmetic. Nothing is traced: call it in
    inference mode. Shapes: N rows, P parameters.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._networks = perceptrons_of(policy)

    def parameters(self, obs: torch.Tensor) -> torch.Tensor:
        """Parameters [N, P] of stored observations [N, *shape]."""
        policy = self._policy
        if self._networks is None:
            return policy.act(obs)
        out, _ = self._networks[0].forward(policy.encoder.forward(obs).flatten(1))
        return policy.with_spread(out[:, : policy.size] if policy.shared else out)

    def values(self, obs: torch.Tensor) -> torch.Tensor:
        """Values [N] of stored observations [N, *shape]; zeros without a critic."""
        policy = self._policy
        if self._networks is None or not policy.has_critic:
            return policy.values(obs)
        out, _ = self._networks[-1].forward(policy.encoder.forward(obs).flatten(1))
        return out[:, policy.size if policy.shared else 0]


def perceptrons_of(policy: Policy) -> list[Dense] | None:
    """The actor and the critic, or the one network, written out; None when one cannot be."""
    if policy.memory_size is not None:
        return None
    names = ["network"] if policy.shared else ["actor", "critic"][: 1 + policy.has_critic]
    networks = [dense_of(policy.get_submodule(name)) for name in names]
    found = [n for n in networks if n is not None]
    return found if len(found) == len(names) else None
