"""How a policy's outputs and their gradients are computed: by autograd, or written out."""

from typing import Protocol

import torch
from torch import nn

from trivium.trainers.rl.actor_critic.inference import perceptrons_of
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.adam import views_of
from trivium.trainers.rl.dense import Dense


class Pass(Protocol):
    """A forward pass, then its backward pass, of a policy without memory."""

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Parameters [N, P] and values [N] of stored observations [N, *shape]."""

    def backward(
        self, by_parameters: torch.Tensor, by_values: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """Put the gradient by all of the policy's parameters into the flat `gradient`."""


class Traced:
    """By autograd: any network."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._parameters = list(policy.parameters())
        self._outputs: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Pass."""
        self._outputs = self._policy(obs)
        return self._outputs

    def backward(
        self, by_parameters: torch.Tensor, by_values: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """See Pass."""
        assert self._outputs is not None
        traced_gradient(self._policy, self._outputs, (by_parameters, by_values), gradient)
        self._outputs = None


class WrittenOut:
    """For plain perceptrons with a free spread, or none."""

    def __init__(self, policy: Policy, networks: list[Dense], gradient: torch.Tensor) -> None:
        self._policy, self._networks = policy, networks
        parameters = list(policy.parameters())
        views = views_of(gradient, parameters)
        self._into: dict[torch.Tensor, torch.Tensor] = dict(zip(parameters, views, strict=True))
        self._saved: list[list[torch.Tensor]] = []

    @torch.no_grad()
    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Pass."""
        policy, features = self._policy, self._policy.encoder(obs).flatten(1)
        passes = [network.forward(features) for network in self._networks]
        self._saved = [saved for _, saved in passes]
        out = passes[0][0]
        if policy.shared:
            parameters, values = out[:, : policy.size], out[:, policy.size]
        else:
            parameters = out
            values = passes[1][0][:, 0] if policy.has_critic else out.new_zeros(len(out))
        return policy.with_spread(parameters), values

    @torch.no_grad()
    def backward(
        self, by_parameters: torch.Tensor, by_values: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """See Pass; `gradient` is the tensor that this was made with."""
        policy = self._policy
        by_outputs = by_parameters[:, : policy.size]
        if policy.has_free_std:
            torch.sum(by_parameters[:, policy.size :], 0, out=self._into[policy.log_std])
        if policy.shared:
            sides = [torch.cat((by_outputs, by_values.unsqueeze(1)), 1)]
        else:
            sides = [by_outputs, by_values.unsqueeze(1)]
        for network, side, saved in zip(self._networks, sides, self._saved, strict=False):
            network.backward(side, saved, self._into)


def pass_of(policy: Policy, gradient: torch.Tensor) -> Pass:
    """The faster way that `policy` allows; gradients go into the flat `gradient`."""
    if policy.has_free_std or not policy.is_continuous:
        networks = perceptrons_of(policy)
        if networks is not None:
            return WrittenOut(policy, networks, gradient)
    return Traced(policy)


def traced_gradient(
    policy: nn.Module,
    outputs: tuple[torch.Tensor, torch.Tensor],
    by_outputs: tuple[torch.Tensor, torch.Tensor],
    gradient: torch.Tensor,
) -> None:
    """Put what autograd says into the flat `gradient`; an output without a graph is passed over."""
    pairs = [(o, g) for o, g in zip(outputs, by_outputs, strict=True) if o.requires_grad]
    found = torch.autograd.grad(
        [o for o, _ in pairs],
        list(policy.parameters()),
        [g for _, g in pairs],
        materialize_grads=True,
    )
    torch.cat([g.reshape(-1) for g in found], out=gradient)
