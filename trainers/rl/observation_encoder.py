"""From stored observations (environment/spaces.py) to what a network reads."""

import torch
from torch import nn

from trivium.trainers.rl.environment.spaces import Observations


class ObservationEncoder(nn.Module):
    """Stored observations [N, *shape] to features [N, *feature_shape], float32.

    Discrete parts become one-hot, images become channels first in 0 .. 1; numbers are normalised
    by `mean` and `variance` when `clip` is given. Both are buffers, so they are saved with the
    weights and exported with the network; `update_statistics` sets them from outside.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    starts: torch.Tensor

    def __init__(self, observations: Observations, clip: float | None = None) -> None:
        super().__init__()
        self.kind = observations.kind
        self.shape = observations.shape
        self.sizes = observations.sizes
        self.clip = clip
        if clip is not None:
            self.register_buffer("mean", torch.zeros(observations.shape))
            self.register_buffer("variance", torch.ones(observations.shape))
        if self.sizes:
            starts = torch.tensor((0, *self.sizes[:-1])).cumsum(0)
            self.register_buffer("starts", starts, persistent=False)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """See the class."""
        if self.sizes:
            flat = obs.reshape(obs.shape[0], len(self.sizes)) + self.starts
            encoded = torch.zeros(obs.shape[0], sum(self.sizes), device=obs.device)
            return encoded.scatter_(1, flat, 1.0)
        if self.kind == "image":
            image = obs.unsqueeze(-1) if len(self.shape) == 2 else obs
            return image.permute(0, 3, 1, 2).contiguous().float() / 255.0
        if not self.shape:
            obs = obs.unsqueeze(-1)
        if self.clip is not None:
            scaled = (obs - self.mean) * torch.rsqrt(self.variance + 1e-8)
            return scaled.clamp(-self.clip, self.clip)
        return obs.float()

    def update_statistics(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Set what `normalize_observation` subtracts and divides by."""
        self.mean.copy_(mean)
        self.variance.copy_(variance)
