"""Each optimizer steps as its formula says, on numbers worked out by hand."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from trivium.platform.errors import UserError
from trivium.platform.settings import build, read_component
from trivium.trainers.registry import OPTIMIZERS
from trivium.trainers.supervised.optimizers import load_optimizer_state

REGISTRY = "trivium.trainers.registry:OPTIMIZERS"


def optimizer_of(settings: dict[str, Any], *parameters: nn.Parameter) -> torch.optim.Optimizer:
    made = build(read_component(settings, REGISTRY), REGISTRY, {"parameters": list(parameters)})
    assert isinstance(made, torch.optim.Optimizer)
    return made


def weights_after(settings: dict[str, Any], gradients: list[float], start: float = 1.0) -> float:
    """The weight, a 1 x 1 matrix, after a step with each of `gradients`."""
    weight = nn.Parameter(torch.tensor([[start]]))
    optimizer = optimizer_of({"lr": 0.1, **settings}, weight)
    for gradient in gradients:
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
    return float(weight.detach())


HAND_WORKED = {
    "sgd": ({"name": "sgd"}, 1 - 0.1 * 2 - 0.1 * 3),
    # v = 2, then 0.9 * 2 + 3 = 4.8
    "momentum": ({"name": "sgd", "momentum": 0.9}, 1 - 0.1 * 2 - 0.1 * 4.8),
    # v = 2: 2 + 0.9 * 2 = 3.8; v = 4.8: 3 + 0.9 * 4.8 = 7.32
    "nesterov": (
        {"name": "sgd", "momentum": 0.9, "nesterov": True},
        1 - 0.1 * 3.8 - 0.1 * 7.32,
    ),
    # s = 0.5 * 4 = 2, then 0.5 * 2 + 0.5 * 9 = 5.5
    "rmsprop": (
        {"name": "rmsprop", "alpha": 0.5},
        1 - 0.1 * 2 / math.sqrt(2) - 0.1 * 3 / math.sqrt(5.5),
    ),
    # m = 1, 2 and s = 1, 3.25 (betas 0.5, 0.75), over 1 - beta ** t: 2, 8/3 and 4, 3.25 / 0.4375
    "adam": (
        {"name": "adam", "beta1": 0.5, "beta2": 0.75},
        1 - 0.1 * 2 / 2 - 0.1 * (2 / 0.75) / math.sqrt(3 / 0.4375),
    ),
    # L2: g + 0.5 * w = 2.5, w = 0.75; 3.375
    "l2": ({"name": "sgd", "weight_decay": 0.5}, 0.75 - 0.1 * 3.375),
    # w shrinks by 0.1 * 0.5 of itself, then steps by 0.1: 0.95 - 0.1 = 0.85
    "adamw": (
        {"name": "adamw", "weight_decay": 0.5, "beta1": 0.5, "beta2": 0.75},
        0.85 * 0.95 - 0.1 * (2 / 0.75) / math.sqrt(3 / 0.4375),
    ),
    # g + 0.5 * sign(w), twice
    "l1": ({"name": "sgd", "l1": 0.5}, 1 - 0.1 * 2.5 - 0.1 * 3.5),
}


@pytest.mark.parametrize(("settings", "expected"), HAND_WORKED.values(), ids=HAND_WORKED.keys())
def test_two_steps_end_where_the_formula_says(settings: dict[str, Any], expected: float) -> None:
    assert weights_after(settings, [2.0, 3.0]) == pytest.approx(expected, abs=1e-6)


def test_every_registered_optimizer_is_worked_by_hand() -> None:
    assert {settings["name"] for settings, _ in HAND_WORKED.values()} == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay_biases", [False, True])
def test_penalties_leave_biases_alone_unless_asked(name: str, decay_biases: bool) -> None:
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    settings = {"name": name, "weight_decay": 0.1, "l1": 0.1, "decay_biases": decay_biases}
    optimizer = optimizer_of(settings, weight, bias)
    weight.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimizer.step()
    assert (weight < 1).all()
    assert bool((bias < 1).all()) is decay_biases


def test_l1_brings_a_weight_without_gradient_to_zero_and_keeps_it_near() -> None:
    assert abs(weights_after({"name": "sgd", "l1": 1.0}, [0.0] * 15)) <= 0.1 + 1e-6


def test_frozen_parameters_are_left_out() -> None:
    frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    optimizer = optimizer_of({"name": "adam"}, frozen, nn.Parameter(torch.ones(2, 2)))
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]


def test_a_saved_state_goes_on_as_if_it_had_not_stopped() -> None:
    def step(weight: nn.Parameter, optimizer: torch.optim.Optimizer, gradient: float) -> None:
        weight.grad = torch.full((2, 2), gradient)
        optimizer.step()

    for name in OPTIMIZERS:
        weight = nn.Parameter(torch.ones(2, 2))
        optimizer = optimizer_of({"name": name}, weight)
        step(weight, optimizer, 2.0)
        twin = nn.Parameter(weight.detach().clone())
        resumed = optimizer_of({"name": name}, twin)
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        step(weight, optimizer, 3.0)
        step(twin, resumed, 3.0)
        assert torch.equal(weight, twin), name


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.1), (0.1, 0.0), (0.1, 0.2)])
def test_a_saved_state_takes_new_settings_also_when_they_group_parameters_anew(
    before: float, after: float
) -> None:
    bias, weight = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.ones(2, 2))
    first = optimizer_of({"name": "adam", "lr": 0.1, "weight_decay": before}, bias, weight)
    bias.grad, weight.grad = torch.full((2,), 3.0), torch.full((2, 2), 5.0)
    first.step()
    settings = {"name": "adam", "lr": 0.02, "beta1": 0.5, "weight_decay": after}
    second = optimizer_of(settings, bias, weight)
    load_optimizer_state(second, first.state_dict(), [bias, weight])
    for parameter in (bias, weight):
        assert torch.equal(second.state[parameter]["exp_avg"], first.state[parameter]["exp_avg"])
    assert {(g["lr"], g["betas"][0]) for g in second.param_groups} == {(0.02, 0.5)}
    decay = {p: g["weight_decay"] for g in second.param_groups for p in g["params"]}
    assert decay == {bias: 0.0, weight: after}


def test_mistakes_in_settings_are_told() -> None:
    with pytest.raises(UserError) as caught:
        read_component({"name": "sgd", "nesterov": True}, REGISTRY)
    assert str(caught.value) == (
        "nesterov has no effect without momentum: set momentum, such as 0.9"
    )
    with pytest.raises(UserError) as caught:
        read_component({"name": "adam", "learning_rate": 0.1, "beta1": 1.0}, REGISTRY)
    assert str(caught.value) == (
        "beta1: must be less than 1, got 1.0\n"
        "learning_rate: unknown setting; did you mean lr? (settings here: name, lr, weight_decay, "
        "l1, decay_biases, beta1, beta2, eps)"
    )
