"""What a transform of numbers comes to: x * scale + shift, per column or per image channel.

It is applied when a batch is gathered, on the device of the batch, so that an image stays one
byte a pixel in the cache and several transforms cost no more than one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Of the training rows, [num_columns] or, for images, [num_channels] each."""

    count: Floats  # numbers seen, nulls not counted
    mean: Floats
    std: Floats  # of the population: divided by count
    min: Floats
    max: Floats
    is_pixels: bool = False

    def after(self, step: "Affine") -> "Statistics":
        """The statistics of the same rows after `step`."""
        ends = np.stack([self.min * step.scale + step.shift, self.max * step.scale + step.shift])
        return Statistics(
            count=self.count,
            mean=self.mean * step.scale + step.shift,
            std=self.std * np.abs(step.scale),
            min=ends.min(axis=0),
            max=ends.max(axis=0),
        )


@dataclass(frozen=True)
class Affine:
    """x * scale + shift, [num_columns] or [num_channels] each."""

    scale: Floats
    shift: Floats

    def then(self, step: "Affine") -> "Affine":
        """This, and `step` on its result."""
        return Affine(self.scale * step.scale, self.shift * step.scale + step.shift)


class Transform(Protocol):
    """A transform of numbers: asked once, after the training rows have been seen."""

    def affine(self, statistics: Statistics) -> Affine:
        """The step that these statistics call for."""


def joined(parts: Sequence[Statistics]) -> Statistics:
    """The statistics of columns side by side."""
    return Statistics(
        count=np.concatenate([part.count for part in parts]),
        mean=np.concatenate([part.mean for part in parts]),
        std=np.concatenate([part.std for part in parts]),
        min=np.concatenate([part.min for part in parts]),
        max=np.concatenate([part.max for part in parts]),
    )


def identity(size: int) -> Affine:
    """Changes nothing."""
    return Affine(np.ones(size), np.zeros(size))
