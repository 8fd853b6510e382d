"""Gradient steps of `dqn`: targets, loss, optimizer, target network (Mnih et al. 2015)."""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

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
        self._device = next(network.parameters()).device
        self._parameters: list[torch.Tensor] = list(network.parameters())
        self._target_parameters: list[torch.Tensor] = list(self.target.parameters())
        self._optimizer = torch.optim.Adam(self._parameters, settings.lr, fused=True)

    def update(self, batch: Drawn) -> tuple[NDArray[np.float64], torch.Tensor, torch.Tensor]:
        """One gradient step: (absolute errors [N], loss [], mean action value [])."""
        obs, next_obs = self._tensor(batch.obs), self._tensor(batch.next_obs)
        with torch.no_grad():
            following = self.target(next_obs)
            choice = self.network(next_obs) if self._settings.double else following
            bootstrap = following.gather(1, choice.argmax(1, keepdim=True))[:, 0]
            aims = torch.add(self._tensor(batch.returns), self._tensor(batch.discounts) * bootstrap)
        values = self.network(obs).gather(1, self._tensor(batch.actions)[:, None])[:, 0]
        weights = None if batch.weights is None else self._tensor(batch.weights)
        loss = loss_of(values, aims, weights, self._settings.loss)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._settings.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.max_grad_norm)
        self._optimizer.step()
        self.gradient_steps += 1
        self._move_target()
        detached = values.detach()
        errors = (detached - aims).abs().double().cpu().numpy()
        return errors, loss.detach(), detached.mean()

    @torch.no_grad()
    def _move_target(self) -> None:
        interval = self._settings.target_update_interval
        if interval is None:
            torch._foreach_lerp_(self._target_parameters, self._parameters, self._settings.tau)
        elif self.gradient_steps % interval == 0:
            torch._foreach_copy_(self._target_parameters, self._parameters)

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
            "optimizer": self._optimizer.state_dict(),
            "gradient_steps": self.gradient_steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        own = self._optimizer.state_dict()["param_groups"]  # lr may be another by now
        self._optimizer.load_state_dict(state["optimizer"] | {"param_groups": own})
        self.gradient_steps = int(state["gradient_steps"])


def loss_of(
    values: torch.Tensor, aims: torch.Tensor, weights: torch.Tensor | None, kind: str
) -> torch.Tensor:
    """Mean over [N] of huber or half squared errors, each times its weight."""
    if weights is None:
        if kind == "huber":
            return F.smooth_l1_loss(values, aims)
        return F.mse_loss(values, aims) / 2
    if kind == "huber":
        return (F.smooth_l1_loss(values, aims, reduction="none") * weights).mean()
    return (F.mse_loss(values, aims, reduction="none") * weights).mean() / 2
