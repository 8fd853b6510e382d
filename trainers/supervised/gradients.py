"""Gradient clipping, and the watch over gradients that vanish, explode or are not finite.

What is not seen: a learning rate that is merely too high or too low. The loss curve shows that.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from trivium.platform.settings import Settings

VANISHED = 1e-4
"""A layer's gradient norm that stays below this share of the largest layer's has vanished."""
EXPLODED = 100.0
"""A gradient norm above this multiple of its first values has exploded."""
EXPLODED_AT_START = 1e4
"""So has a first one above this multiple of the norm of the weights."""
LOOKS_IN_A_ROW = 3
"""What may pass by itself is reported when it is seen this often in a row."""


class GradientSettings(Settings):
    """Clipping, and how often gradients are looked at."""

    clip_norm: float | None = Field(None, gt=0)
    """Scale all gradients down together when their norm exceeds this, such as 1.0; None is off."""
    clip_value: float | None = Field(None, gt=0)
    """Bring every single gradient into -clip_value .. clip_value; None is off."""
    watch_steps: int = Field(100, ge=0)
    """Steps between two looks at the gradients' health; the first steps are looked at more often.
    0 is never."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_norm and clip_value exclude each other: give one of them")
        return self


def clip_gradients(model: nn.Module, settings: GradientSettings) -> None:
    """Clip the gradients of `model` in place, as the settings say; after they are unscaled."""
    if settings.clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm, foreach=True)
    elif settings.clip_value is not None:
        nn.utils.clip_grad_value_(model.parameters(), settings.clip_value, foreach=True)


class GradientWatch:
    """Looks at the gradient norm of each layer now and then; each kind of trouble is told once.

    `skips_non_finite` says that steps with non-finite gradients are left out by a gradient scaler
    (fp16), which lowers its scale until they are finite: they are trouble only when they stay.
    """

    def __init__(
        self, settings: GradientSettings, model: nn.Module, skips_non_finite: bool = False
    ) -> None:
        self.every = settings.watch_steps
        self.last_norm = 0.0  # of all gradients, at the last look that found it finite
        self._non_finite_looks = LOOKS_IN_A_ROW if skips_non_finite else 1
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        names = [name for name, p in model.named_parameters() if p.requires_grad]
        self._layers = [name.rpartition(".")[0] or name for name in names]
        self._first_norms: list[float] = []
        self._streaks: dict[str, int] = {}
        self._told: set[str] = set()

    def look(self, step: int) -> list[str]:
        """Sentences on what is newly wrong at `step`, mostly none.

        To be called after the backward pass and before clipping.
        """
        if not self._is_due(step):
            return []
        norms = self._layer_norms()
        total = math.hypot(*norms.values())
        if not math.isfinite(total):
            return list(self._non_finite(norms, step))
        self.last_norm = total
        self._streaks.pop("non-finite", None)
        return [*self._exploding(norms, total, step), *self._vanishing(norms, step)]

    def state_dict(self) -> dict[str, Any]:
        """What resumption needs, as plain data."""
        return {
            "last_norm": self.last_norm,
            "first_norms": list(self._first_norms),
            "streaks": dict(self._streaks),
            "told": sorted(self._told),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the state that `state_dict` gave."""
        self.last_norm = state["last_norm"]
        self._first_norms = list(state["first_norms"])
        self._streaks = dict(state["streaks"])
        self._told = set(state["told"])

    def _is_due(self, step: int) -> bool:
        if self.every == 0:
            return False
        # Steps 0, 1, 2, 4, 8, ...: what is wrong from the start should be told at the start.
        return step % self.every == 0 or (step < self.every and step & (step - 1) == 0)

    def _layer_norms(self) -> dict[str, float]:
        """Gradient norm of each layer, in the order of the model; waits for the device once."""
        grads = [p.grad if p.grad is not None else p.new_zeros(1) for p in self._parameters]
        values = torch.stack([norm.float() for norm in torch._foreach_norm(grads)]).tolist()
        squares: dict[str, float] = dict.fromkeys(self._layers, 0.0)
        for layer, value in zip(self._layers, values, strict=True):
            squares[layer] += value * value
        return {layer: math.sqrt(square) for layer, square in squares.items()}

    def _non_finite(self, norms: Mapping[str, float], step: int) -> Iterator[str]:
        self._streaks["non-finite"] = self._streaks.get("non-finite", 0) + 1
        if self._streaks["non-finite"] >= self._non_finite_looks and self._is_news("non-finite"):
            layers = [layer for layer, norm in norms.items() if not math.isfinite(norm)]
            yield (
                f"at step {step} the gradients of {_list(layers)} are not finite: try a smaller "
                "learning rate, clip_norm: 1.0, and look for extreme values in the inputs"
            )

    def _exploding(self, norms: Mapping[str, float], total: float, step: int) -> Iterator[str]:
        largest = max(norms, key=lambda layer: norms[layer])
        cure = "try a smaller learning rate, a warm-up, or clip_norm: 1.0"
        if len(self._first_norms) < LOOKS_IN_A_ROW:
            self._first_norms.append(total)
            weights = math.hypot(*(float(p.detach().norm()) for p in self._parameters))
            if total > EXPLODED_AT_START * weights and self._is_news("exploding"):
                yield (
                    f"the gradients explode from the start: at step {step} their norm is "
                    f"{total:.2g} for weights of norm {weights:.2g}, most of it in {largest}; "
                    f"{cure}, normalisation, or a target of smaller numbers"
                )
            return
        usual = max(self._first_norms)
        if total > EXPLODED * usual > 0 and self._is_news("exploding"):
            yield (
                f"the gradients explode: at step {step} their norm is {total:.2g}, and it was "
                f"{usual:.2g} in the first steps, most of it in {largest}; {cure}"
            )

    def _vanishing(self, norms: Mapping[str, float], step: int) -> Iterator[str]:
        largest = max(norms, key=lambda layer: norms[layer])
        for layer, norm in norms.items():
            # Some layers start at zero by design, and move the others only after a step or two.
            has_vanished = norm < VANISHED * norms[largest] and step > LOOKS_IN_A_ROW
            self._streaks[layer] = self._streaks.get(layer, 0) + 1 if has_vanished else 0
        gone = [layer for layer in norms if self._streaks[layer] >= LOOKS_IN_A_ROW]
        dead = [layer for layer in gone if norms[layer] == 0]
        weak = [layer for layer in gone if norms[layer] > 0]
        if dead and self._is_news("dead"):
            yield (
                f"no gradient reaches {_list(dead)} (seen {LOOKS_IN_A_ROW} times, last at step "
                f"{step}): the output does not depend on it, or its units are dead; try "
                "leaky_relu, a smaller learning rate, or look for a detach()"
            )
        if weak and self._is_news("vanishing"):
            norm = max(norms[layer] for layer in weak)
            yield (
                f"the gradients of {_list(weak)} vanish (norm at most {norm:.2g} at step {step}, "
                f"against {norms[largest]:.2g} in {largest}): these layers hardly learn; try "
                "normalisation, residual connections, relu with he initialisation, or fewer layers"
            )

    def _is_news(self, kind: str) -> bool:
        is_news = kind not in self._told
        self._told.add(kind)
        return is_news


def where_not_finite(model: nn.Module, inputs: Sequence[torch.Tensor] = ()) -> str:
    """Where a non-finite loss comes from, to append to a sentence; empty when nothing is found.

    Looks at the inputs of the batch, the weights, the output of each layer (by running the model
    on the inputs once more, without touching its buffers) and the gradients, in this order.
    """
    for index, tensor in enumerate(inputs):
        if not _is_finite(tensor):
            return f": input {index} of the batch has values that are not finite"
    for name, parameter in model.named_parameters():
        if not _is_finite(parameter):
            return f": the weights of {name} are not finite"
    layer = _first_non_finite_output(model, inputs) if inputs else None
    if layer is not None:
        return f": the output of {layer} is the first that is not finite"
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not _is_finite(parameter.grad):
            return f": the gradient of {name} is not finite"
    return ""


@torch.no_grad()
def _first_non_finite_output(model: nn.Module, inputs: Sequence[torch.Tensor]) -> str | None:
    found: list[str] = []

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, outputs: object) -> None:
            first = outputs[0] if isinstance(outputs, tuple) else outputs
            if isinstance(first, torch.Tensor) and not _is_finite(first):
                found.append(name)

        return hook

    hooks = [
        module.register_forward_hook(note(name or "the model"))
        for name, module in model.named_modules()
    ]
    try:
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        torch.func.functional_call(model, buffers, tuple(inputs))
    finally:
        for handle in hooks:
            handle.remove()
    return found[0] if found else None


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _list(layers: Sequence[str]) -> str:
    shown = ", ".join(layers[:4])
    return f"{shown} and {len(layers) - 4} more" if len(layers) > 4 else shown
