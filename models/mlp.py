"""A multi-layer perceptron: for tables, small images, and as a policy over observations."""

import math
from itertools import pairwise
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import nn

from trivium.models.layers import (
    Activation,
    Initialization,
    Normalization,
    Residual,
    activation_layer,
    dropout_layer,
    feature_norm,
    initialize,
    initialize_head,
)
from trivium.platform.settings import ComponentSettings, Many


class MlpSettings(ComponentSettings):
    """Settings of `mlp`."""

    hidden: Many[int] = (128, 128)
    """Width of each hidden layer, first to last; an empty list gives a linear model."""
    activation: Activation = "relu"
    """The function after each hidden layer."""
    normalization: Normalization = "none"
    """Normalise each hidden layer before its activation: over the batch, or over the layer."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability with which a hidden value is zeroed in training."""
    residual: bool = False
    """Add each hidden layer's input to its output, where both have the same width."""
    initialization: Initialization = "he"
    """How weights are drawn: he for relu and its relatives, xavier or orthogonal for tanh."""

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden: widths must be at least 1, got {list(self.hidden)}")
        if not self.hidden and (self.dropout or self.residual or self.normalization != "none"):
            raise ValueError(
                "dropout, residual and normalization act on hidden layers, and hidden is empty: "
                "give hidden a width, or leave them out"
            )
        if self.residual and not any(a == b for a, b in pairwise(self.hidden)):
            raise ValueError(
                f"residual needs two neighbouring hidden layers of one width, and hidden is "
                f"{list(self.hidden)}: repeat a width, or leave residual out"
            )
        return self


class Mlp(nn.Module):
    """`head(features(inputs))`; inputs of any shape are flattened.

    `target_mean` is where the output starts: 0, or the mean of a real target.
    """

    def __init__(
        self,
        settings: MlpSettings,
        input_shape: tuple[int, ...],
        output_size: int,
        target_mean: float = 0.0,
    ) -> None:
        super().__init__()
        widths = (math.prod(input_shape), *settings.hidden)
        self.features = nn.Sequential(
            nn.Flatten(), *(_block(settings, a, b) for a, b in pairwise(widths))
        )
        self.head = nn.Linear(widths[-1], output_size)
        initialize(self.features, settings.initialization, settings.activation)
        initialize_head(self.head, bias=target_mean)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs [B, *input_shape] to outputs [B, output_size]."""
        outputs: torch.Tensor = self.head(self.features(inputs))
        return outputs


def _block(settings: MlpSettings, size: int, width: int) -> nn.Module:
    block = nn.Sequential(
        # A bias right before a normalisation, which has its own, would have no effect.
        nn.Linear(size, width, bias=settings.normalization == "none"),
        *feature_norm(settings.normalization, width),
        activation_layer(settings.activation),
        *dropout_layer(settings.dropout),
    )
    return Residual(block) if settings.residual and size == width else block
