"""Clipping by hand, and the watch on models built to be ill."""

from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from trivium.models.mlp import Mlp, MlpSettings
from trivium.trainers.supervised.gradients import (
    GradientSettings,
    GradientWatch,
    clip_gradients,
    where_not_finite,
)


def model_with_gradients(*values: float) -> nn.Module:
    """Linear layers of a single weight each, with these gradients."""
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in values))
    set_gradients(model, *values)
    return model


def set_gradients(model: nn.Module, *values: float) -> None:
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.data.fill_(1.0)
        parameter.grad = torch.full_like(parameter, value)


def gradients(model: nn.Module) -> list[float]:
    return [p.grad.item() for p in model.parameters() if p.grad is not None]


def test_clipping_by_norm_keeps_the_direction() -> None:
    model = model_with_gradients(3.0, 4.0)
    clip_gradients(model, GradientSettings(clip_norm=1.0))
    assert gradients(model) == pytest.approx([0.6, 0.8], abs=1e-5)


def test_clipping_by_norm_leaves_a_short_gradient_alone() -> None:
    model = model_with_gradients(0.3, 0.4)
    clip_gradients(model, GradientSettings(clip_norm=1.0))
    assert gradients(model) == pytest.approx([0.3, 0.4])


def test_clipping_by_value_cuts_each() -> None:
    model = model_with_gradients(3.0, -4.0, 0.5)
    clip_gradients(model, GradientSettings(clip_value=1.0))
    assert gradients(model) == [1.0, -1.0, 0.5]


def test_no_clipping_unless_asked_and_not_both_ways() -> None:
    model = model_with_gradients(3.0, 4.0)
    clip_gradients(model, GradientSettings())
    assert gradients(model) == [3.0, 4.0]
    with pytest.raises(ValidationError, match="clip_norm and clip_value exclude each other"):
        GradientSettings(clip_norm=1.0, clip_value=1.0)


def looks(watch: GradientWatch, steps: range, before: Callable[[int], None]) -> list[str]:
    told = []
    for step in steps:
        before(step)
        told += watch.look(step)
    return told


def test_a_healthy_model_is_not_complained_of() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    inputs = torch.randn(64, 4)
    watch = GradientWatch(GradientSettings(watch_steps=10), model)

    def train(_step: int) -> None:
        optimizer.step()
        optimizer.zero_grad()
        (model(inputs)[:, 0] - inputs.sum(1)).square().mean().backward()

    assert looks(watch, range(300), train) == []
    assert watch.last_norm > 0


def test_vanishing_gradients_are_told_once_with_the_layers() -> None:
    model = model_with_gradients(1e-6, 1e-5, 0.5)
    watch = GradientWatch(GradientSettings(watch_steps=100), model)
    told = looks(watch, range(600), lambda _: None)
    # Looks at steps 4, 8 and 16 are the first three that count.
    assert told == [
        "the gradients of 0, 1 vanish (norm at most 1e-05 at step 16, against 0.5 in 2): these "
        "layers hardly learn; try normalisation, residual connections, relu with he "
        "initialisation, or fewer layers"
    ]


def test_a_real_deep_tanh_network_vanishes_and_a_residual_one_does_not() -> None:
    def told(residual: bool) -> list[str]:
        torch.manual_seed(0)
        settings = MlpSettings(name="mlp", hidden=(16,) * 30, activation="tanh", residual=residual)
        model = Mlp(settings, (16,), 1)
        for parameter in model.features.parameters():
            parameter.data.mul_(0.3)
        inputs = torch.randn(32, 16)
        model(inputs).square().mean().backward()
        return looks(GradientWatch(GradientSettings(), model), range(17), lambda _: None)

    (sentence,) = told(residual=False)
    assert sentence.startswith("the gradients of features.1.0, features.2.0, features.3.0, ")
    assert " more vanish (norm at most " in sentence
    assert told(residual=True) == []


def test_a_layer_without_gradient_is_told() -> None:
    model = model_with_gradients(0.0, 0.5)
    next(model.parameters()).grad = None
    told = looks(GradientWatch(GradientSettings(), model), range(64), lambda _: None)
    assert told == [
        "no gradient reaches 0 (seen 3 times, last at step 16): the output does not depend on it, "
        "or its units are dead; try leaky_relu, a smaller learning rate, or look for a detach()"
    ]


def test_gradients_that_grow_a_hundredfold_explode() -> None:
    model = model_with_gradients(0.3, 0.4)
    watch = GradientWatch(GradientSettings(watch_steps=10), model)

    def grow(step: int) -> None:
        if step == 20:
            set_gradients(model, 60.0, 0.4)

    assert looks(watch, range(60), grow) == [
        "the gradients explode: at step 20 their norm is 60, and it was 0.5 in the first steps, "
        "most of it in 0; try a smaller learning rate, a warm-up, or clip_norm: 1.0"
    ]


def test_gradients_that_dwarf_the_weights_from_the_start_explode() -> None:
    model = model_with_gradients(0.0, 4e4)
    assert GradientWatch(GradientSettings(), model).look(0) == [
        "the gradients explode from the start: at step 0 their norm is 4e+04 for weights of norm "
        "1.4, most of it in 1; try a smaller learning rate, a warm-up, or clip_norm: 1.0, "
        "normalisation, or a target of smaller numbers"
    ]


def test_non_finite_gradients_name_their_layer() -> None:
    model = model_with_gradients(1.0, float("nan"))
    watch = GradientWatch(GradientSettings(), model)
    assert looks(watch, range(10), lambda _: None) == [
        "at step 0 the gradients of 1 are not finite: try a smaller learning rate, "
        "clip_norm: 1.0, and look for extreme values in the inputs"
    ]
    assert watch.last_norm == 0.0


def test_with_a_gradient_scaler_a_non_finite_step_or_two_is_no_news() -> None:
    model = model_with_gradients(1.0, float("inf"))
    watch = GradientWatch(GradientSettings(), model, skips_non_finite=True)

    def recover(step: int) -> None:
        if step == 2:
            set_gradients(model, 1.0, 1.0)

    assert looks(watch, range(100), recover) == []


def test_the_watch_can_be_off_and_looks_seldom() -> None:
    model = model_with_gradients(1.0, float("nan"))
    assert looks(GradientWatch(GradientSettings(watch_steps=0), model), range(9), print) == []
    watch = GradientWatch(GradientSettings(watch_steps=50), model_with_gradients(1.0))
    seen = []
    for step in range(160):
        watch.last_norm = 0.0
        watch.look(step)
        if watch.last_norm:
            seen.append(step)
    assert seen == [0, 1, 2, 4, 8, 16, 32, 50, 100, 150]


def test_a_resumed_watch_does_not_repeat_itself() -> None:
    model = model_with_gradients(0.0, 4e4)
    first = GradientWatch(GradientSettings(), model)
    first.look(0)
    resumed = GradientWatch(GradientSettings(), model)
    resumed.load_state_dict(first.state_dict())
    assert resumed.look(1) == []
    assert resumed.last_norm == first.last_norm


class Logarithm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.log()


def test_a_non_finite_loss_is_traced_to_inputs_weights_or_the_first_layer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), Logarithm(), nn.Linear(3, 1))
    fine = torch.randn(8, 2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert where_not_finite(model, (fine,)) == ": the output of 2 is the first that is not finite"
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name  # running means too

    broken = fine.clone()
    broken[3, 1] = float("inf")
    assert where_not_finite(model, (broken,)) == (
        ": input 0 of the batch has values that are not finite"
    )
    model[3].weight.data.fill_(float("nan"))
    assert where_not_finite(model, (fine,)) == ": the weights of 3.weight are not finite"


def test_a_non_finite_loss_may_show_in_the_gradients_alone_or_nowhere() -> None:
    model = model_with_gradients(1.0, float("inf"))
    assert where_not_finite(model) == ": the gradient of 1.weight is not finite"
    assert where_not_finite(model_with_gradients(1.0), (torch.ones(1, 1),)) == ""
