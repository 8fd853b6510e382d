"""How large a model is, by its parts: shown before training starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Part:
    """A top-level module of a model, or the parameters that the model holds itself (no kind)."""

    name: str
    kind: str
    num_parameters: int


@dataclass(frozen=True)
class Summary:
    """Parameter counts of a model."""

    parts: tuple[Part, ...]
    num_parameters: int
    num_trainable: int
    num_bytes: int
    """Parameters and buffers, in bytes: what the weights take in memory and in a file."""


def summarize(model: nn.Module) -> Summary:
    """The size of `model`; a parameter that two parts share counts once, in the first of them."""
    seen: set[int] = set()
    parts = [
        Part(name, type(module).__name__, _count(module.parameters(), seen))
        for name, module in model.named_children()
    ]
    own = _count(model.parameters(recurse=False), seen)
    if own:
        parts.append(Part("(own)", "", own))
    tensors = [*model.parameters(), *model.buffers()]
    return Summary(
        parts=tuple(part for part in parts if part.num_parameters),
        num_parameters=sum(p.numel() for p in model.parameters()),
        num_trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        num_bytes=sum(t.numel() * t.element_size() for t in tensors),
    )


def _count(parameters: Iterable[nn.Parameter], seen: set[int]) -> int:
    total = 0
    for parameter in parameters:
        if id(parameter) not in seen:
            seen.add(id(parameter))
            total += parameter.numel()
    return total
