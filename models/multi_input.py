"""One network for inputs of several kinds: convolutions over images, then layers over all of it."""

from itertools import pairwise

import torch
from pydantic import Field
from torch import nn

from trivium.models.layers import (
    Activation,
    Initialization,
    activation_layer,
    initialize,
    initialize_head,
)
from trivium.platform.settings import ComponentSettings, Many


class MultiInputSettings(ComponentSettings):
    """Settings of `multi_input`."""

    channels: Many[int] = Field((16, 32), min_length=1)
    """Channels of each convolution over an image; each halves height and width."""
    hidden: Many[int] = Field((128,), min_length=1)
    """Width of each hidden layer over all parts side by side, first to last."""
    activation: Activation = "relu"
    """The function after each convolution and each hidden layer."""
    initialization: Initialization = "he"
    """How weights are drawn: he for relu and its relatives, xavier or orthogonal for tanh."""


class MultiInput(nn.Module):
    """`head(features(parts side by side))`; parts of shape [C, H, W] go through convolutions first.

    `input_shapes` is part -> shape, as the parts of a Dict observation are named.
    """

    def __init__(
        self,
        settings: MultiInputSettings,
        input_shapes: dict[str, tuple[int, ...]],
        output_size: int,
    ) -> None:
        super().__init__()
        self._names = list(input_shapes)
        readers = [_reader(settings, shape) for shape in input_shapes.values()]
        self.readers = nn.ModuleList(readers)
        with torch.no_grad():
            sizes = [
                reader.eval()(torch.zeros(1, *shape)).shape[1]
                for reader, shape in zip(readers, input_shapes.values(), strict=True)
            ]
        widths = (sum(sizes), *settings.hidden)
        self.features = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(a, b), activation_layer(settings.activation))
                for a, b in pairwise(widths)
            )
        )
        self.head = nn.Linear(widths[-1], output_size)
        for module in (self.readers, self.features):
            initialize(module, settings.initialization, settings.activation)
        initialize_head(self.head, bias=0.0)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Parts [B, *shape] to outputs [B, output_size]."""
        read = [
            reader(inputs[name]) for name, reader in zip(self._names, self.readers, strict=True)
        ]
        outputs: torch.Tensor = self.head(self.features(torch.cat(read, 1)))
        return outputs


def _reader(settings: MultiInputSettings, shape: tuple[int, ...]) -> nn.Module:
    if len(shape) != 3 or min(shape[1:]) < 2 ** len(settings.channels):
        return nn.Flatten()  # numbers, or an image too small to be halved that often
    layers: list[nn.Module] = []
    for size, channels in pairwise((shape[0], *settings.channels)):
        layers += [
            nn.Conv2d(size, channels, 3, stride=2, padding=1),
            activation_layer(settings.activation),
        ]
    return nn.Sequential(*layers, nn.Flatten())
