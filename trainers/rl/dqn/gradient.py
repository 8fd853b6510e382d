"""How action values and their gradients are computed: by autograd, or written out.

N rows, A actions.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from trivium.trainers.rl.adam import views_of
from trivium.trainers.rl.dense import Dense, dense_of
from trivium.trainers.rl.dqn.network import QNetwork, duel


class ValuePass(Protocol):
    """A forward pass, then its backward pass."""

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Action values [N, A] of stored observations [N, *shape]."""

    def backward(self, by_values: torch.Tensor) -> None:
        """Put the gradient by all parameters into the flat tensor that this was made with."""


class Traced:
    """By autograd: any network."""

    def __init__(self, network: nn.Module, gradient: torch.Tensor) -> None:
        self._network, self._gradient = network, gradient
        self._values: torch.Tensor | None = None

    @torch.enable_grad()
    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """See ValuePass."""
        self._values = self._network(obs)
        return self._values

    def backward(self, by_values: torch.Tensor) -> None:
        """See ValuePass."""
        assert self._values is not None
        parameters = list(self._network.parameters())
        found = torch.autograd.grad(self._values, parameters, by_values)
        torch.cat([g.reshape(-1) for g in found], out=self._gradient)
        self._values = None


class WrittenOut:
    """For plain perceptrons."""

    def __init__(self, network: QNetwork, dense: Dense, gradient: torch.Tensor) -> None:
        self._network, self._dense = network, dense
        parameters = list(network.parameters())
        views = views_of(gradient, parameters)
        self._into: dict[torch.Tensor, torch.Tensor] = dict(zip(parameters, views, strict=True))
        self._saved: list[torch.Tensor] = []

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """See ValuePass."""
        out, self._saved = self._dense.forward(self._network.encoder.forward(obs).flatten(1))
        return duel(out) if self._network.dueling else out

    def backward(self, by_values: torch.Tensor) -> None:
        """See ValuePass; Q = V + A - mean A turns its gradient into those of V and A."""
        if self._network.dueling:
            by_state = by_values.sum(1, keepdim=True)
            by_values = torch.cat((by_state, by_values - by_values.mean(1, keepdim=True)), 1)
        self._dense.backward(by_values, self._saved, self._into)


def pass_of(network: nn.Module, gradient: torch.Tensor) -> ValuePass:
    """The faster way that `network` allows."""
    dense = _dense_of(network)
    if dense is None:
        return Traced(network, gradient)
    assert isinstance(network, QNetwork)
    return WrittenOut(network, dense, gradient)


def untraced(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """`network` as it is at each moment, to be called where nothing is traced."""
    dense = _dense_of(network)
    if dense is None:
        return network
    assert isinstance(network, QNetwork)
    encode, is_dueling = network.encoder.forward, network.dueling

    def values(obs: torch.Tensor) -> torch.Tensor:
        out, _ = dense.forward(encode(obs).flatten(1))
        return duel(out) if is_dueling else out

    return values


def _dense_of(network: nn.Module) -> Dense | None:
    return dense_of(network.model) if isinstance(network, QNetwork) else None
