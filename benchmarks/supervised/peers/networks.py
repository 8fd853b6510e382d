"""The networks of Trivium's `cnn` and `mlp`, without Trivium: the same layers in the same order.

They are written out so that the peers need not import (and wait for) anything of Trivium;
`same_networks.py` compares the outputs. What Trivium's `cnn` does for speed is done here too:
it pools before it normalises, and keeps channels together in memory. A script without the second
takes about twice as long per step on a CPU, so the peers are favoured by it.
"""

import torch
from torch import nn


class Cnn(nn.Sequential):
    """Images [B, 1, 28, 28] to logits [B, 10]; 421,866 parameters."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128, bias=False),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # Of one channel both orders are alike; only these strides say "channels last".
        return super().forward(images.squeeze(1).unsqueeze(3).permute(0, 3, 1, 2))


class Mlp(nn.Sequential):
    """Images [B, 1, 28, 28], seen as 784 numbers, to logits [B, 10]; 118,282 parameters."""

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(784, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )


NETWORKS = {"cnn": Cnn, "mlp": Mlp}
