import math

import numpy as np
import pytest

from trivium.platform.errors import UserError
from trivium.platform.settings import validate
from trivium.trainers.rl.decay import Decay, constant
from trivium.trainers.rl.tabular.exploration import (
    EpsilonGreedy,
    EpsilonGreedySettings,
    Softmax,
    SoftmaxSettings,
    Ucb,
    UcbSettings,
    draw,
)

VALUES = np.array([[1.0, 3.0, 2.0, 3.0], [5.0, 0.0, 0.0, 0.0]])


def frequencies(rule, values, visits=None, draws=40_000):
    rng = np.random.default_rng(0)
    many = np.repeat(values[:1], draws, axis=0)
    counts = None if visits is None else np.repeat(visits[:1], draws, axis=0)
    return np.bincount(rule.act(many, counts, 0, rng), minlength=values.shape[1]) / draws


def test_epsilon_greedy_shares_epsilon_among_all_and_the_rest_among_the_best():
    rule = EpsilonGreedy(EpsilonGreedySettings(epsilon=constant(0.2)))
    shares = rule.probabilities(VALUES, None, 0)
    assert shares == pytest.approx(np.array([[0.05, 0.45, 0.05, 0.45], [0.85, 0.05, 0.05, 0.05]]))


def test_epsilon_greedy_acts_by_its_probabilities():
    rule = EpsilonGreedy(EpsilonGreedySettings(epsilon=constant(0.2)))
    assert frequencies(rule, VALUES) == pytest.approx([0.05, 0.45, 0.05, 0.45], abs=0.01)


def test_epsilon_falls_by_its_schedule():
    rule = EpsilonGreedy(
        EpsilonGreedySettings(epsilon=Decay(start=1.0, end=0.0, env_steps=10, shape="linear"))
    )
    assert [rule.level(n) for n in (0, 5, 10, 99)] == [1.0, 0.5, 0.0, 0.0]


def test_softmax_weighs_by_exponentials():
    rule = Softmax(SoftmaxSettings(name="softmax", temperature=constant(2.0)))
    weights = [math.exp(0.5), math.exp(1.5), math.exp(1.0), math.exp(1.5)]
    expected = [w / sum(weights) for w in weights]
    assert rule.probabilities(VALUES, None, 0)[0] == pytest.approx(expected)
    assert frequencies(rule, VALUES) == pytest.approx(expected, abs=0.01)


def test_a_softmax_of_large_values_does_not_overflow():
    rule = Softmax(SoftmaxSettings(name="softmax", temperature=constant(0.001)))
    assert rule.probabilities(np.array([[1e6, 0.0]]), None, 0).tolist() == [[1.0, 0.0]]


def test_ucb_tries_what_was_never_tried_first():
    rule = Ucb(UcbSettings(name="ucb", bonus=2.0))
    visits = np.array([[3.0, 0.0, 5.0, 0.0]])
    assert rule.probabilities(VALUES[:1], visits, 0).tolist() == [[0.0, 0.5, 0.0, 0.5]]


def test_ucb_prefers_the_less_tried_of_close_actions():
    rule = Ucb(UcbSettings(name="ucb", bonus=1.0))
    visits = np.array([[100.0, 1.0]])
    # Bounds: 1 + sqrt(ln 101 / 100) = 1.21 and 0.5 + sqrt(ln 101) = 2.65.
    assert rule.probabilities(np.array([[1.0, 0.5]]), visits, 0).tolist() == [[0.0, 1.0]]


def test_drawing_never_takes_an_action_of_probability_zero():
    shares = np.repeat([[0.0, 1.0, 0.0]], 1000, axis=0)
    assert set(draw(shares, np.random.default_rng(0))) == {1}


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            EpsilonGreedySettings,
            {"epsilon": {"start": 2.0, "end": 0.1, "env_steps": 5}},
            "epsilon: epsilon must be at most 1, got 2",
        ),
        (
            SoftmaxSettings,
            {"name": "softmax", "temperature": 0.0},
            "temperature: temperature must stay above 0, got 0",
        ),
        (
            EpsilonGreedySettings,
            {"epsilon": {"start": 1.0, "end": 0.0, "env_steps": 5, "shape": "exponential"}},
            "epsilon: an exponential decay never reaches or leaves 0 (start 1, end 0): give a "
            "small positive value, or shape: linear",
        ),
    ],
)
def test_values_out_of_range_are_mistakes(kind, data, message):
    with pytest.raises(UserError) as error:
        validate(kind, data)
    assert str(error.value) == message
