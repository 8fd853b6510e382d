"""Regression's and rating's numbers by hand and against scikit-learn; what they show."""

import math
from typing import Any

import pytest
import torch
from sklearn import metrics as sk

from trivium.platform.errors import UserError
from trivium.platform.exhibit import Note, Table
from trivium.platform.settings import build, read_component
from trivium.trainers.supervised.tasks.regression import Regression

REGISTRY = "trivium.trainers.registry:TASKS"
OUTPUTS = torch.tensor([[1.0], [2.0], [6.0]])
TARGET = torch.tensor([1.5, 2.0, 3.0])  # errors -0.5, 0, 3


def task(name: str = "regression", **settings: Any) -> Any:
    return build(read_component({"name": name, **settings}, REGISTRY), REGISTRY, {})


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", (0.25 + 9) / 3),
        ("mae", 3.5 / 3),
        ("huber", (0.125 + 2 * (3 - 1)) / 3),  # beyond delta 2: delta * (error - delta / 2)
    ],
)
def test_losses_by_hand(loss: str, expected: float) -> None:
    made = task(loss=loss, delta=2.0)
    assert float(made.loss(OUTPUTS, TARGET)) == pytest.approx(expected)
    assert float(made.loss(OUTPUTS[:, 0], TARGET)) == pytest.approx(expected)


def test_outputs_of_another_shape_are_refused_and_not_broadcast() -> None:
    with pytest.raises(ValueError) as caught:
        task().loss(torch.zeros(3, 2), TARGET)
    assert str(caught.value) == (
        "a real target needs one output per row, [B] or [B, 1]; the model gives [3, 2]"
    )


def test_running_metrics_by_hand() -> None:
    made = task()
    tally = made.new_tally()
    for rows in (slice(0, 2), slice(2, 3)):
        outputs, target = OUTPUTS[rows], TARGET[rows]
        made.count(tally, outputs, target, made.loss(outputs, target))
    assert made.running_metrics(tally) == pytest.approx(
        {"loss": 9.25 / 3, "rmse": math.sqrt(9.25 / 3), "mae": 3.5 / 3}
    )


def test_an_evaluation_agrees_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(100, generator=generator) * 5 + 100
    outputs = target[:, None] + torch.randn(100, 1, generator=generator)
    found = task().evaluate(outputs, target, torch.arange(100), str).metrics
    truth, predicted = target.double().numpy(), outputs[:, 0].double().numpy()
    mse = sk.mean_squared_error(truth, predicted)
    assert found == pytest.approx(
        {
            "loss": mse,
            "mse": mse,
            "rmse": math.sqrt(mse),
            "mae": sk.mean_absolute_error(truth, predicted),
            "r2": sk.r2_score(truth, predicted),
        }
    )
    assert list(found) == [m.name for m in Regression.metrics]


def test_the_largest_errors_come_first_with_their_inputs() -> None:
    shown = (
        task()
        .evaluate(OUTPUTS, TARGET, torch.tensor([4, 8, 2]), lambda row: {"age": 40.0, "row": row})
        .exhibits[-1]
    )
    assert shown == Table(
        "Largest errors",
        ("row", "truth", "prediction", "error", "input"),
        (
            (2, 3.0, 6.0, 3.0, "age 40, row 2"),
            (4, 1.5, 1.0, 0.5, "age 40, row 4"),
            (8, 2.0, 2.0, 0.0, "age 40, row 8"),
        ),
    )


def test_r2_is_left_out_where_it_is_not_defined() -> None:
    found = task().evaluate(OUTPUTS, torch.full((3,), 2.0), torch.arange(3), str)
    assert "r2" not in found.metrics
    assert found.exhibits[0] == Note("R2", "left out, as all rows have the same target")


def test_ratings_are_scored_within_their_range_and_trained_without_it() -> None:
    made = task("rating", range=[1, 5])
    outputs, target = torch.tensor([0.0, 7.0, 3.0]), torch.tensor([1.0, 5.0, 3.0])
    assert made.predict(outputs).tolist() == [1.0, 5.0, 3.0]
    assert made.evaluate(outputs, target, torch.arange(3), str).metrics["rmse"] == 0.0
    assert float(made.loss(outputs, target)) == pytest.approx(5 / 3)
    tally = made.new_tally()
    made.count(tally, outputs, target, made.loss(outputs, target))
    assert made.running_metrics(tally)["rmse"] == 0.0


def test_without_a_range_ratings_are_left_as_they_are() -> None:
    assert task("rating").predict(torch.tensor([0.0, 7.0])).tolist() == [0.0, 7.0]


def test_wrong_rating_ranges_are_told() -> None:
    for wrong in ([5.0, 1.0], [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(UserError) as caught:
            task("rating", range=wrong)
        assert str(caught.value) == (
            f"range: give the lowest and the highest rating, such as [1, 5], got {wrong}"
        )
