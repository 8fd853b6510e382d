"""What the structures share: activations, normalisation, initialisation, residual blocks."""

import math
from typing import Literal

import torch
from torch import nn

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
Normalization = Literal["none", "batch", "layer"]
Initialization = Literal["he", "xavier", "orthogonal"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation_layer(name: Activation) -> nn.Module:
    """The activation called `name`, as a layer without parameters."""
    return _ACTIVATIONS[name]()


def feature_norm(name: Normalization, num_features: int) -> list[nn.Module]:
    """Normalisation of features [B, num_features]: a list of one layer, or of none."""
    if name == "batch":
        return [nn.BatchNorm1d(num_features)]
    return [nn.LayerNorm(num_features)] if name == "layer" else []


def channel_norm(name: Normalization, num_channels: int) -> list[nn.Module]:
    """Normalisation of images [B, num_channels, H, W]: a list of one layer, or of none."""
    if name == "batch":
        return [nn.BatchNorm2d(num_channels)]
    # A group norm of one group is layer normalisation over channels and places of an image.
    return [nn.GroupNorm(1, num_channels)] if name == "layer" else []


def dropout_layer(probability: float) -> list[nn.Module]:
    """Dropout of single values: a list of one layer, or of none when it would do nothing."""
    return [nn.Dropout(probability)] if probability > 0 else []


class Residual(nn.Module):
    """`shortcut(x) + body(x)` (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut if shortcut is not None else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways; they must give the same shape."""
        out: torch.Tensor = self.shortcut(x) + self.body(x)
        return out


def initialize(module: nn.Module, scheme: Initialization, activation: Activation) -> None:
    """Draw the weights of every linear and convolution layer in `module`; set biases to zero.

    he: normal with variance gain^2 / fan_in (https://arxiv.org/abs/1502.01852);
    xavier: uniform with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010);
    orthogonal: gain times a matrix with orthogonal rows (https://arxiv.org/abs/1312.6120).
    The gain is that of the activation: sqrt(2) for relu and its smooth relatives, 5/3 for tanh.
    """
    gain = _gain(activation)
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _draw(layer.weight, scheme, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def initialize_head(head: nn.Linear, bias: float = 0.0) -> None:
    """Draw the last layer with gain 1, as no activation follows it; set its biases to `bias`."""
    nn.init.xavier_uniform_(head.weight)
    nn.init.constant_(head.bias, bias)


def _gain(activation: Activation) -> float:
    if activation == "tanh":
        return 5 / 3
    return math.sqrt(2 / (1 + 0.01**2)) if activation == "leaky_relu" else math.sqrt(2)


def _draw(weight: torch.Tensor, scheme: Initialization, gain: float) -> None:
    if scheme == "he":
        fan_in = weight[0].numel()
        nn.init.normal_(weight, std=gain / math.sqrt(fan_in))
    elif scheme == "xavier":
        nn.init.xavier_uniform_(weight, gain=gain)
    else:
        nn.init.orthogonal_(weight, gain=gain)
