"""The job's model for what an environment shows: whole observations, or the parts of a Dict.

A model that names the fact `input_shape` reads one tensor; a Dict or Tuple is one vector for it. A
model that names `input_shapes`, part -> shape, reads the parts apart, in a dict of tensors:

    class Net(nn.Module):
        def __init__(self, input_shapes: dict[str, tuple[int, ...]], output_size: int): ...
        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor: ...
"""

import inspect
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from trivium.platform.errors import UserError
from trivium.platform.registry import find
from trivium.platform.settings import build
from trivium.trainers.rl.environment.spaces import Observations, observations_of
from trivium.trainers.rl.environment.wrappers import normalization_of
from trivium.trainers.rl.job import MODELS, NetworkJob


class Part(NamedTuple):
    """A leaf of a Dict or Tuple space, and where it lies in the flattened vector."""

    name: str
    """Its key; keys of nested spaces are joined by a slash, those of a Tuple are 0, 1, ..."""
    observations: Observations

    @property
    def shape(self) -> tuple[int, ...]:
        """What a model sees of it."""
        return self.observations.feature_shape

    @property
    def size(self) -> int:
        """Values in the vector."""
        return math.prod(self.shape)


def make_network(job: NetworkJob, observations: Observations, output_size: int) -> nn.Module:
    """A new model of `job` from features (ObservationEncoder) to [N, output_size].

    Raises:
        UserError: the model does not fit the environment.
    """
    facts: dict[str, Any] = {"input_shape": observations.feature_shape, "output_size": output_size}
    parts = list(parts_of(observations.space)) if observations.kind == "flat" else []
    try:
        if not _names_parts(job):
            made: nn.Module = build(job.model, MODELS, facts)
            return made
        if not parts:
            raise UserError(
                f"{job.model.name} reads the parts of a Dict (input_shapes), and {job.env.id} "
                f"shows {observations.space}: name a model that takes input_shape, such as mlp"
            )
        facts["input_shapes"] = {part.name: part.shape for part in parts}
        is_raw = normalization_of(job.env) is None
        return InParts(parts, build(job.model, MODELS, facts), is_raw)
    except UserError as error:
        raise error.under("model") from None


def parts_of(space: Any, prefix: str = "") -> Iterator[Part]:
    """The leaves of `space` in the order in which it is flattened."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        pairs = list(space.spaces.items())
    elif isinstance(space, spaces.Tuple):
        pairs = [(str(i), part) for i, part in enumerate(space.spaces)]
    else:
        yield Part(prefix, observations_of(space))
        return
    for key, part in pairs:
        yield from parts_of(part, f"{prefix}/{key}" if prefix else str(key))


class InParts(nn.Module):
    """A model of parts behind the flattened vector [N, F] of them."""

    def __init__(self, parts: list[Part], model: nn.Module, is_raw: bool) -> None:
        super().__init__()
        self.model = model
        self._parts = parts
        self._is_raw = is_raw

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        """[N, F] to what the model gives; images reach it as [N, C, H, W] in 0 .. 1."""
        columns = vector.split([part.size for part in self._parts], 1)
        inputs = {
            part.name: self._shaped(part, column)
            for part, column in zip(self._parts, columns, strict=True)
        }
        outputs: torch.Tensor = self.model(inputs)
        return outputs

    def _shaped(self, part: Part, column: torch.Tensor) -> torch.Tensor:
        if part.observations.kind != "image":
            return column.reshape(-1, *part.shape)
        channels, height, width = part.shape
        image = column.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return image / 255.0 if self._is_raw else image.contiguous()


def _names_parts(job: NetworkJob) -> bool:
    return "input_shapes" in inspect.signature(find(job.model.name, MODELS)).parameters
