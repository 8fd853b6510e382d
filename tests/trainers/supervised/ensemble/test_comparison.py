"""Is the difference real: on rows whose resampled means are known."""

import numpy as np
import pytest
import torch

from trivium.trainers.supervised.ensemble.comparison import compared_by, gain_of, row_scores


def test_what_each_row_adds_to_the_metric():
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    target = torch.tensor([1, 0])
    assert row_scores("accuracy", logits, target).tolist() == [1.0, 1.0]
    assert row_scores("loss", logits, target).tolist() == pytest.approx([-np.log(0.75), np.log(2)])
    estimates, truth = torch.tensor([1.0, 5.0]), torch.tensor([2.0, 3.0])
    assert row_scores("mae", estimates, truth).tolist() == [1.0, 2.0]
    assert row_scores("rmse", estimates, truth).tolist() == [1.0, 4.0]


def test_a_gain_is_in_the_better_direction_and_in_the_unit_of_the_metric():
    gain = gain_of("rmse", np.full(9, 1.0), np.full(9, 4.0))
    assert (gain.gain, gain.low, gain.high) == (1.0, 1.0, 1.0)
    assert gain_of("mae", np.full(9, 3.0), np.full(9, 1.0)).gain == -2.0
    assert gain_of("accuracy", np.ones(9), np.zeros(9)).gain == 1.0


def test_equal_predictions_are_no_gain_and_few_changed_rows_may_be_chance():
    same = gain_of("accuracy", np.array([1.0, 0.0] * 50), np.array([1.0, 0.0] * 50))
    assert (same.gain, same.low, same.high, same.is_real) == (0.0, 0.0, 0.0, False)
    ours, theirs = np.ones(100), np.ones(100)
    theirs[:2] = 0
    few = gain_of("accuracy", ours, theirs)
    assert few.gain == pytest.approx(0.02) and few.low == 0.0 and not few.is_real
    theirs[:30] = 0
    many = gain_of("accuracy", ours, theirs)
    # Of 100 rows drawn again Binomial(100, 0.3) differ: 0.30 +/- 1.96 * 0.0458.
    assert (many.low, many.high) == (pytest.approx(0.21, abs=0.02), pytest.approx(0.39, abs=0.02))
    assert many.is_real


def test_the_sentence_says_whether_it_may_be_chance():
    assert gain_of("rmse", np.full(9, 4.0), np.full(9, 1.0)).sentence == (
        "worse by 1.0000 in rmse (95% interval -1.0000 to -1.0000 over 9 test rows): the "
        "difference is real"
    )
    assert gain_of("accuracy", np.ones(4), np.ones(4)).sentence == (
        "better by 0.0000 in accuracy (95% interval 0.0000 to 0.0000 over 4 test rows): the "
        "difference may be chance"
    )


def test_what_is_no_mean_over_rows_is_compared_by_what_is():
    assert compared_by("validation/loss", True) == "loss"
    assert compared_by("f1_macro", True) == "accuracy"
    assert compared_by("r2", False) == "rmse"
    assert compared_by("mae", False) == "mae"
