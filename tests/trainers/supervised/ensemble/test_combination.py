"""Ways to combine, on numbers small enough to check on paper, and that none sees its own target."""

import math

import numpy as np
import pytest
import torch

from trivium.trainers.supervised.ensemble.combination import (
    blank,
    cross_fitted,
    fit,
    is_fitted,
)
from trivium.trainers.supervised.ensemble.job import METHODS
from trivium.trainers.supervised.ensemble.members import as_values, mean_of


def of_class_0(*probabilities: list[float]) -> torch.Tensor:
    """Log-probabilities [M, N, 2] from each member's probabilities of class 0."""
    first = torch.tensor(probabilities)
    return torch.stack([first, 1 - first], dim=2).log()


def test_most_votes_win_and_the_mean_decides_a_tie():
    values = of_class_0([0.6, 0.9], [0.6, 0.4], [0.1, 0.5])
    found = fit("voting", values[:, :1], torch.tensor([0]), 0)(values[:, :1]).exp()
    assert found[0].tolist() == pytest.approx([(2 + 1.3 / 3) / 4, (1 + 1.7 / 3) / 4])
    tie = fit("voting", values[:2], torch.tensor([0, 0]), 0)(values[:2]).exp()
    assert tie[1].tolist() == pytest.approx([(1 + 0.65) / 3, (1 + 0.35) / 3])


def test_of_estimates_the_vote_is_the_middle_one():
    values = torch.tensor([[9.0], [1.0], [2.0], [4.0]])
    voting = fit("voting", values, torch.tensor([0.0]), 0)
    assert voting(values[:3]).tolist() == [2.0]
    assert voting(values).tolist() == [3.0]


def test_the_average_is_of_probabilities_not_of_their_logarithms():
    values = of_class_0([0.8, 0.5], [0.2, 0.1])
    found = fit("average", values, torch.tensor([0, 1]), 0)(values).exp()
    assert found[:, 0].tolist() == pytest.approx([0.5, 0.3])
    reals = torch.tensor([[1.0, 2.0], [3.0, 8.0]])
    assert fit("average", reals, torch.zeros(2), 0)(reals).tolist() == [2.0, 5.0]


def test_bagged_selection_leaves_out_who_is_wrong_and_pairs_opposite_errors():
    right_and_wrong = of_class_0([0.9] * 12, [0.1] * 12)
    bagged = fit("bagged", right_and_wrong, torch.zeros(12, dtype=torch.int64), 0)
    assert bagged.weights.tolist() == [1.0, 0.0]
    target = torch.arange(12.0)
    above_and_below = torch.stack([target + 1, target - 1])
    assert fit("bagged", above_and_below, target, 0).weights.tolist() == [0.5, 0.5]


def test_stacking_learns_what_members_get_wrong_in_the_same_way():
    random = np.random.default_rng(0)
    target = torch.from_numpy(random.integers(0, 3, 90))
    swapped = torch.nn.functional.one_hot((target + 1) % 3, 3) * 0.7 + 0.1
    values = swapped.float().log()[None]
    assert (fit("average", values, target, 0)(values).argmax(1) == target).sum() == 0
    assert (cross_fitted("stacked", values, target, 0).argmax(1) == target).all()
    a, b = torch.from_numpy(random.normal(size=(2, 60))).float()
    truth = 2 * a - b + 3
    stacked = fit("stacked", torch.stack([a, b]), truth, 0)
    assert stacked(torch.stack([a, b])).tolist() == pytest.approx(truth.tolist(), abs=0.02)


def test_a_class_without_a_row_is_never_the_answer():
    target = torch.tensor([0, 1] * 10)
    values = torch.tensor([[0.3, 0.2, 0.5]] * 20).log()[None]
    stacked = fit("stacked", values, target, 0)(values).exp()
    assert stacked[:, 2].max() < 1e-5
    assert stacked[0, :2].tolist() == pytest.approx([0.5, 0.5], abs=0.01)


@pytest.mark.parametrize("method", [m for m in METHODS if is_fitted(m)])
@pytest.mark.parametrize("is_class", [True, False])
def test_a_row_does_not_enter_the_fit_that_it_is_scored_by(method, is_class):
    random = np.random.default_rng(1)
    if is_class:
        values = torch.from_numpy(random.normal(size=(3, 40, 2))).float().log_softmax(2)
        target = torch.from_numpy(random.integers(0, 2, 40))
    else:
        values = torch.from_numpy(random.normal(size=(3, 40))).float()
        target = torch.from_numpy(random.normal(size=40)).float()
    before = cross_fitted(method, values, target, 5)
    in_sample = fit(method, values, target, 5)(values)
    changed = target.clone()
    changed[7] = 1 - target[7] if is_class else target[7] + 50
    after = cross_fitted(method, values, changed, 5)
    assert torch.equal(before[7], after[7])
    assert not torch.equal(before, after)  # but the others' fits see it
    assert not torch.equal(in_sample, before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_class", [True, False])
def test_a_saved_combination_is_the_same_again(method, is_class, tmp_path):
    from trivium.trainers.supervised.progress import load_weights, save_weights

    random = np.random.default_rng(2)
    values = torch.from_numpy(random.normal(size=(3, 30, 4))).float().log_softmax(2)
    target = torch.from_numpy(random.integers(0, 4, 30))
    if not is_class:
        values, target = values[:, :, 0], target.float()
    made = fit(method, values, target, 0)
    save_weights(made, tmp_path / "w.safetensors")
    again = blank(method, 3, 4 if is_class else 0)
    load_weights(again, tmp_path / "w.safetensors")
    assert torch.equal(made(values), again(values))


def test_models_of_a_member_are_averaged_as_probabilities():
    first, second = (
        as_values(torch.tensor([[math.log(p), math.log(1 - p)]]), True) for p in (0.2, 0.6)
    )
    assert mean_of([first, second]).exp()[0].tolist() == pytest.approx([0.4, 0.6])
    assert as_values(torch.tensor([[2.0], [3.0]]), False).tolist() == [2.0, 3.0]
