"""Gradient steps of `dqn`: targets, loss, optimizer, target network (Mnih et al. 2015)."""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.adam import FlatAdam, flatten_parameters, shorten_
from trivium.trainers.rl.dqn.gradient import pass_of, untraced
from trivium.trainers.rl.dqn.network import QNetwork
from trivium.trainers.rl.dqn.replay import Drawn
from trivium.trainers.rl.dqn.settings import DqnSettings


class Learner:
    """Learns `network` from drawn batches; N transitions, A actions."""

    def __init__(self, network: QNetwork, settings: DqnSettings) -> None:
        self.network = network
        self.target = copy.deepcopy(network).requires_grad_(False).eval()
        self.gradient_steps = 0
        self._settings = settings
        self._flat = flatten_parameters(list(network.parameters()))
        self._flat_target = flatten_parameters(list(self.target.parameters()))
        self._device = self._flat.device
        self._gradient = torch.zeros_like(self._flat)
        self._pass = pass_of(network, self._gradient)
        self._choose, self._value = untraced(network), untraced(self.target)
        self._optimizer = FlatAdam(self._flat)

    @torch.no_grad()
    def update(self, batch: Drawn) -> tuple[NDArray[np.float64], torch.Tensor, torch.Tensor]:
        """One gradient step: (absolute errors [N], loss [], mean action value [])."""
        obs, next_obs = self._tensor(batch.obs), self._tensor(batch.next_obs)
        following = self._value(next_obs)
        choice = self._choose(next_obs) if self._settings.double else following
        bootstrap = following.gather(1, choice.argmax(1, keepdim=True))[:, 0]
        aims = torch.add(self._tensor(batch.returns), self._tensor(batch.discounts) * bootstrap)
        actions = self._tensor(batch.actions)[:, None]
        all_values = self._pass.forward(obs)
        values = all_values.detach().gather(1, actions)[:, 0]
        weights = None if batch.weights is None else self._tensor(batch.weights)
        loss, by_values = loss_of(values, aims, weights, self._settings.loss)
        self._pass.backward(torch.zeros_like(all_values).scatter_(1, actions, by_values[:, None]))
        if self._settings.max_grad_norm is not None:
            shorten_(self._gradient, self._settings.max_grad_norm)
        self._optimizer.step(self._gradient, self._settings.lr)
        self.gradient_steps += 1
        self._move_target()
        errors = (values - aims).abs().double().cpu().numpy()
        return errors, loss, values.mean()

    def _move_target(self) -> None:
        interval = self._settings.target_update_interval
        if interval is None:
            self._flat_target.lerp_(self._flat, self._settings.tau)
        elif self.gradient_steps % interval == 0:
            self._flat_target.copy_(self._flat)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def update_statistics(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Normalise observations by these from now on, in network and target."""
        for network in (self.network, self.target):
            network.encoder.update_statistics(mean, variance)

    def get_state(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self._optimizer.get_state(),
            "gradient_steps": self.gradient_steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self._optimizer.set_state(state["optimizer"])
        self.gradient_steps = int(state["gradient_steps"])


def loss_of(
    values: torch.Tensor, aims: torch.Tensor, weights: torch.Tensor | None, kind: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over [N] of huber or half squared errors, each times its weight; by `values` [N]."""
    errors = values - aims
    slopes = errors.clamp(-1.0, 1.0) if kind == "huber" else errors
    losses = slopes * (errors - slopes / 2)  # half a square within 1; |error| - 1/2 beyond
    if weights is not None:
        losses, slopes = losses * weights, slopes * weights
    return losses.mean(), slopes / len(values)
