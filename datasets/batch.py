"""What a training step sees."""

from typing import NamedTuple

import torch


class Batch(NamedTuple):
    """B rows of one split, on the device that was asked for."""

    inputs: tuple[torch.Tensor, ...]
    """What a model's `forward(*inputs)` takes: images [B, C, H, W] float32; tables [B, F]
    float32; texts as tokens [B, T] int64 and lengths [B] int64; ids as users [B] int64 and
    items [B] int64. A data set of several kinds gives them in this order."""

    target: torch.Tensor
    """[B], int64 class or float32 real number."""

    rows: torch.Tensor
    """[B] int64: number of the row in the source, counted from 0."""

    size: int
    """Rows in the global batch, all workers' shares together."""
