"""A convolutional network: blocks of convolution, normalisation, activation and pooling."""

from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from trivium.models.layers import (
    Activation,
    Initialization,
    Normalization,
    Residual,
    activation_layer,
    channel_norm,
    dropout_layer,
    feature_norm,
    initialize,
    initialize_head,
)
from trivium.platform.settings import ComponentSettings, Many


class CnnSettings(ComponentSettings):
    """Settings of `cnn`.

    The defaults suit pictures of 28 x 28: accuracy for the time it takes on a CPU. As a policy in
    reinforcement learning it should do without batch normalisation.
    """

    channels: Many[int] = Field((32, 64, 128), min_length=1)
    """Channels of each block, first to last; each block halves height and width."""
    convolutions: int = Field(1, ge=1, le=8)
    """Convolutions in each block."""
    kernel_size: int = Field(3, ge=1)
    """Height and width of every convolution, an odd number, so that it keeps the image's size."""
    pooling: Literal["max", "average", "stride"] = "max"
    """How a block halves: by pooling at its end, or by a stride of 2 in its first convolution."""
    summary: Literal["flatten", "mean"] = "flatten"
    """What the hidden layers see: every place of the last block, or each channel's mean."""
    hidden: Many[int] = ()
    """Width of each hidden layer between the blocks and the output."""
    activation: Activation = "relu"
    """The function after each convolution and each hidden layer."""
    normalization: Normalization = "batch"
    """Normalise before each activation: over the batch, or over each image."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability with which an input of a hidden layer or of the output is zeroed in training."""
    residual: bool = False
    """Add each block's input, brought to its shape by a 1 x 1 convolution, to its output."""
    initialization: Initialization = "he"
    """How weights are drawn: he for relu and its relatives, xavier or orthogonal for tanh."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, widths in (("channels", self.channels), ("hidden", self.hidden)):
            if any(width < 1 for width in widths):
                raise ValueError(f"{name}: each must be at least 1, got {list(widths)}")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd (3, 5, ...), got {self.kernel_size}")
        return self


class Cnn(nn.Module):
    """`head(features(images))`; images are [C, H, W] of any size that the blocks can halve.

    Raises:
        ValueError: the inputs are not images, or are too small for the number of blocks.
    """

    def __init__(
        self,
        settings: CnnSettings,
        input_shape: tuple[int, ...],
        output_size: int,
        target_mean: float = 0.0,
    ) -> None:
        super().__init__()
        height, width = _reduced(settings, input_shape)
        channels = (input_shape[0], *settings.channels)
        places = height * width if settings.summary == "flatten" else 1
        widths = (channels[-1] * places, *settings.hidden)
        self.features = nn.Sequential(
            *(_block(settings, a, b) for a, b in pairwise(channels)),
            *([nn.AdaptiveAvgPool2d(1)] if settings.summary == "mean" else []),
            nn.Flatten(),
            *dropout_layer(settings.dropout),
            *(_hidden(settings, a, b) for a, b in pairwise(widths)),
        )
        self.head = nn.Linear(widths[-1], output_size)
        initialize(self.features, settings.initialization, settings.activation)
        initialize_head(self.head, bias=target_mean)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images [B, C, H, W] to outputs [B, output_size]."""
        outputs: torch.Tensor = self.head(self.features(_channels_last(images)))
        return outputs


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    """The same images, channels next to each other in memory: on CPU a third faster.

    The weights keep the usual order, so that files of them do not depend on it.
    """
    if images.shape[1] == 1:  # both orders are one: only the strides can tell which is meant
        return images.squeeze(1).unsqueeze(3).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


def _reduced(settings: CnnSettings, input_shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width after the last block."""
    if len(input_shape) != 3:
        raise ValueError(
            f"cnn needs images [C, H, W]; this data has inputs of shape {list(input_shape)}: "
            "use mlp"
        )
    blocks = len(settings.channels)
    _, height, width = input_shape
    for _ in settings.channels:
        # A stride rounds up (padded), pooling rounds down.
        odd = 1 if settings.pooling == "stride" else 0
        height, width = (height + odd) // 2, (width + odd) // 2
    if min(height, width) < 1:
        fitting = min(input_shape[1:]).bit_length() - 1
        raise ValueError(
            f"cnn halves the image in each of its {blocks} blocks, and nothing is left of images "
            f"of {input_shape[1]} x {input_shape[2]}: give channels at most {fitting} values"
        )
    return height, width


def _block(settings: CnnSettings, size: int, channels: int) -> nn.Module:
    """Images [B, size, H, W] to [B, channels, H / 2, W / 2]."""
    strided = settings.pooling == "stride"
    layers: list[nn.Module] = []
    for index in range(settings.convolutions):
        is_last = index == settings.convolutions - 1
        layers += [
            nn.Conv2d(
                size if index == 0 else channels,
                channels,
                settings.kernel_size,
                stride=2 if strided and index == 0 else 1,
                padding=settings.kernel_size // 2,
                # A bias right before a normalisation, which has its own, would have no effect.
                bias=settings.normalization == "none",
            ),
            # Pooled before it is normalised: a quarter of the work, for the same accuracy.
            *(_pool(settings) if is_last else []),
            *channel_norm(settings.normalization, channels),
            activation_layer(settings.activation),
        ]
    block = nn.Sequential(*layers)
    if not settings.residual:
        return block
    project = nn.Conv2d(size, channels, 1, stride=2 if strided else 1)
    return Residual(block, nn.Sequential(*_pool(settings), project))


def _pool(settings: CnnSettings) -> list[nn.Module]:
    if settings.pooling == "stride":
        return []
    return [nn.MaxPool2d(2) if settings.pooling == "max" else nn.AvgPool2d(2)]


def _hidden(settings: CnnSettings, size: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(size, width, bias=settings.normalization == "none"),
        *feature_norm(settings.normalization, width),
        activation_layer(settings.activation),
        *dropout_layer(settings.dropout),
    )
