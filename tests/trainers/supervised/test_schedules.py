"""Every schedule at points worked out by hand; 10 steps make an epoch, 4 epochs a run."""

import math
from typing import Any

import pytest

from trivium.platform.errors import UserError
from trivium.platform.settings import build, read_component
from trivium.trainers.registry import SCHEDULES
from trivium.trainers.supervised.schedules import Schedule

REGISTRY = "trivium.trainers.registry:SCHEDULES"


def schedule(name: str, **settings: Any) -> Schedule:
    checked = read_component({"name": name, **settings}, REGISTRY)
    made = build(checked, REGISTRY, {"steps_per_epoch": 10, "num_epochs": 4})
    assert isinstance(made, Schedule)
    return made


POINTS = {
    "constant": (schedule("constant"), {0: 1.0, 39: 1.0}),
    "step": (
        schedule("step", every_epochs=1.5, factor=0.1),
        {0: 1.0, 14: 1.0, 15: 0.1, 29: 0.1, 30: 0.01},
    ),
    "exponential": (
        schedule("exponential", factor=0.25),
        {0: 1.0, 5: 0.5, 10: 0.25, 20: 0.0625},
    ),
    "inverse_time": (
        schedule("inverse_time", rate=0.5),
        {0: 1.0, 20: 0.5, 5: 1 / 1.25},
    ),
    "cosine": (
        schedule("cosine"),
        {0: 1.0, 10: (1 + math.sqrt(0.5)) / 2, 20: 0.5, 40: 0.0, 41: 0.0},
    ),
    "cosine down to a tenth": (schedule("cosine", min_scale=0.1), {0: 1.0, 20: 0.55, 40: 0.1}),
    "reduce_on_plateau": (schedule("reduce_on_plateau"), {0: 1.0, 39: 1.0}),
    "warm-up in steps": (
        schedule("constant", warmup_steps=4),
        {0: 0.25, 1: 0.5, 3: 1.0, 4: 1.0},
    ),
    # The cosine runs over the 20 steps after the warm-up.
    "warm-up in epochs": (
        schedule("cosine", warmup_epochs=2.0),
        {0: 0.05, 19: 1.0, 20: 1.0, 30: 0.5, 40: 0.0},
    ),
}


@pytest.mark.parametrize(("made", "points"), POINTS.values(), ids=POINTS.keys())
def test_scales_are_those_of_the_formula(made: Schedule, points: dict[int, float]) -> None:
    assert {step: made.lr_scale(step) for step in points} == pytest.approx(points, abs=1e-12)


def test_every_registered_schedule_is_worked_by_hand() -> None:
    assert set(SCHEDULES) <= set(POINTS)


def test_a_plateau_reduces_after_patience_and_no_further_than_its_floor() -> None:
    made = schedule("reduce_on_plateau", factor=0.1, patience=1, min_delta=0.0, min_scale=0.05)
    scales = []
    for loss in (1.0, 0.5, 0.5, 0.6, 0.4, 0.4, 0.4, 0.3):
        made.observe({"validation/loss": loss})
        scales.append(made.lr_scale(0))
    # The second epoch without progress in a row reduces: at 0.6, and at the last 0.4.
    assert scales == [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.05, 0.05]


def test_a_plateau_of_an_accuracy_waits_for_a_larger_value() -> None:
    made = schedule(
        "reduce_on_plateau", metric="validation/accuracy", mode="max", patience=0, factor=0.5
    )
    scales = []
    for accuracy in (0.5, 0.6, 0.6, 0.7):
        made.observe({"validation/accuracy": accuracy})
        scales.append(made.lr_scale(0))
    assert scales == [1.0, 1.0, 0.5, 0.5]


def test_a_resumed_plateau_goes_on_counting() -> None:
    first = schedule("reduce_on_plateau", patience=1, factor=0.5)
    for loss in (1.0, 1.0):
        first.observe({"validation/loss": loss})
    resumed = schedule("reduce_on_plateau", patience=1, factor=0.5)
    resumed.load_state_dict(first.state_dict())
    resumed.observe({"validation/loss": 1.0})
    assert resumed.lr_scale(0) == 0.5


def test_a_plateau_of_an_unknown_metric_is_a_mistake_in_the_job() -> None:
    made = schedule("reduce_on_plateau", metric="validation/los")
    with pytest.raises(UserError) as caught:
        made.observe({"train/loss": 1.0, "validation/loss": 1.0})
    assert str(caught.value) == (
        "algorithm.schedule.metric: no metric 'validation/los' is reported; "
        "did you mean validation/loss? (reported: train/loss, validation/loss)"
    )


def test_a_warm_up_must_end_within_the_run_and_be_given_once() -> None:
    with pytest.raises(UserError) as caught:
        schedule("cosine", warmup_epochs=4.0)
    assert str(caught.value) == (
        "the warm-up takes 40 steps and the run has 40 (4 epochs of 10): shorten the warm-up"
    )
    with pytest.raises(UserError) as caught:
        schedule("cosine", warmup_epochs=1.0, warmup_steps=5)
    assert str(caught.value) == (
        "warmup_epochs and warmup_steps say the same thing: give one of them"
    )
