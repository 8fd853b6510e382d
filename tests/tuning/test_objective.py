"""What is made best, and in which direction."""

import pytest

from trivium.platform.errors import UserError
from trivium.platform.exhibit import Metric
from trivium.platform.settings import validate
from trivium.tuning.objective import Objective, choose_objective
from trivium.tuning.settings import TuneSettings

METRICS = (
    Metric("train/loss", "", False),
    Metric("validation/loss", "", False),
    Metric("validation/accuracy", "", True),
)


def settings(**given: object) -> TuneSettings:
    return validate(TuneSettings, {"space": {"a": {"int": [0, 1]}}, **given})


def test_the_most_telling_held_out_metric_is_taken_with_its_own_direction() -> None:
    assert choose_objective(settings(), METRICS) == Objective("validation/accuracy", True)
    chosen = choose_objective(settings(metric="validation/loss"), METRICS)
    assert chosen == Objective("validation/loss", False)
    assert choose_objective(settings(mode="min"), METRICS).mode == "min"


def test_a_metric_that_is_not_reported_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        choose_objective(settings(metric="validation/acuracy"), METRICS)
    assert str(error.value) == (
        "tune.metric: 'validation/acuracy' is not reported; did you mean validation/accuracy? "
        "(one of validation/loss, validation/accuracy)"
    )


def test_values_that_are_not_finite_are_passed_over_but_counted() -> None:
    records = [{"loss": 3.0}, {"other": 1.0}, {"loss": None}, {"loss": 2.0}, {"loss": 4.0}]
    assert Objective("loss", False).best_of(records) == (2.0, 4)
    assert Objective("loss", True).best_of(records) == (4.0, 4)
    assert Objective("loss", True).best_of([]) == (None, 0)
