"""Forward and backward passes of plain multi-layer perceptrons, written out.

Tracing costs a tiny network several times what its arithmetic does: for two networks of 32 x 32
and 256 rows, 640 microseconds became 130. What this knows is linear layers with tanh or relu
between them; `dense_of` says None to all else, which autograd then does. Tests compare the two.
"""

import numpy as np
import torch
from torch import nn

from trivium.models.mlp import Mlp

_tanh_backward = torch.ops.aten.tanh_backward
_relu_backward = torch.ops.aten.threshold_backward


class Dense:
    """Linear layers, and an activation after each but the last."""

    def __init__(self, layers: list[nn.Linear], is_tanh: bool) -> None:
        # A module looks its parameters up by name at each call; they stay the same objects.
        self._layers = [(layer.weight, layer.bias) for layer in layers]
        self._is_tanh = is_tanh

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Outputs [N, out] of inputs [N, in], and what `backward` needs; nothing is traced."""
        inputs = []
        for weight, bias in self._layers[:-1]:
            inputs.append(x)
            x = torch.addmm(bias, x, weight.t())
            x = tanh_(x) if self._is_tanh else x.relu_()
        inputs.append(x)
        weight, bias = self._layers[-1]
        return torch.addmm(bias, x, weight.t()), inputs

    def backward(
        self,
        by_outputs: torch.Tensor,
        inputs: list[torch.Tensor],
        into: dict[torch.Tensor, torch.Tensor],
    ) -> None:
        """Write the gradient by each parameter into its tensor of `into`."""
        gradient = by_outputs
        for index in range(len(self._layers) - 1, -1, -1):
            (weight, bias), x = self._layers[index], inputs[index]
            torch.mm(gradient.t(), x, out=into[weight])
            torch.sum(gradient, 0, out=into[bias])
            if index:
                gradient = gradient.mm(weight)
                if self._is_tanh:
                    gradient = _tanh_backward(gradient, x)
                else:
                    gradient = _relu_backward(gradient, x, 0)


def tanh_(x: torch.Tensor) -> torch.Tensor:
    """Tanh in place. On a CPU by NumPy: 7 microseconds for 256 x 64 numbers, torch takes 57."""
    if not x.is_cpu:
        return x.tanh_()
    np.tanh(x.numpy(), out=x.numpy())
    return x


def dense_of(network: nn.Module) -> Dense | None:
    """`network` written out, or None when it is anything but a plain perceptron."""
    if type(network) is not Mlp:
        return None
    leaves = [m for m in network.modules() if not any(True for _ in m.children())]
    leaves = [m for m in leaves if not isinstance(m, nn.Flatten)]
    layers = [m for m in leaves if isinstance(m, nn.Linear)]
    between = leaves[1::2]
    kinds = {type(m) for m in between}
    is_plain = leaves[::2] == layers and len(kinds) <= 1 and kinds <= {nn.Tanh, nn.ReLU}
    if not is_plain or any(layer.bias is None for layer in layers):
        return None
    if any(type(m).__name__ == "Residual" for m in network.modules()):
        return None
    return Dense(layers, kinds != {nn.ReLU})
