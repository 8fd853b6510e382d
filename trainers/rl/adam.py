"""Adam on one flat parameter (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980).

The same numbers as `torch.optim.Adam`, whose import of torch's compiler costs a second.
"""

from typing import Any

import torch


class FlatAdam:
    """Steps `flat` in place against gradients of its shape."""

    def __init__(
        self, flat: torch.Tensor, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self._flat, self._beta1, self._beta2, self._epsilon = flat, beta1, beta2, epsilon
        self._mean, self._square = torch.zeros_like(flat), torch.zeros_like(flat)
        self._steps = 0

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, lr: float) -> None:
        """One step of size `lr`."""
        self._steps += 1
        self._mean.lerp_(gradient, 1 - self._beta1)
        self._square.mul_(self._beta2).addcmul_(gradient, gradient, value=1 - self._beta2)
        correction = (1 - self._beta2**self._steps) ** 0.5
        scale = self._square.sqrt().div_(correction).add_(self._epsilon)
        self._flat.addcdiv_(self._mean, scale, value=-lr / (1 - self._beta1**self._steps))

    def get_state(self) -> dict[str, Any]:
        """Plain data."""
        return {"steps": self._steps, "mean": self._mean, "square": self._square}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self._steps = int(state["steps"])
        self._mean.copy_(state["mean"])
        self._square.copy_(state["square"])


def shorten_(gradient: torch.Tensor, longest: float) -> torch.Tensor:
    """Scale `gradient` down in place to the norm `longest`; its norm before, []."""
    norm: torch.Tensor = torch.linalg.vector_norm(gradient)
    gradient.mul_((norm + 1e-6).reciprocal_().mul_(longest).clamp_(max=1.0))
    return norm


def flatten_parameters(parameters: list[torch.nn.Parameter]) -> torch.Tensor:
    """One tensor of all `parameters`, of which they become views."""
    flat = torch.cat([p.detach().reshape(-1) for p in parameters])
    for p, view in zip(parameters, views_of(flat, parameters), strict=True):
        p.data = view
    return flat


def views_of(flat: torch.Tensor, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """Views of `flat` with the shapes of `parameters`, one after the other."""
    sizes = [p.numel() for p in parameters]
    return [part.view_as(p) for part, p in zip(flat.split(sizes), parameters, strict=True)]
