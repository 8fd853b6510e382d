"""Schedulers that train trials in rounds: who goes on, from whom, with which settings."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from trivium.platform.settings import build, read_component, validate
from trivium.tuning.dimension import Dimension
from trivium.tuning.hyperband import SynchronousHyperBand
from trivium.tuning.objective import Objective
from trivium.tuning.population import moved
from trivium.tuning.rounds import InRounds, Member, Round, Standing
from trivium.tuning.settings import SCHEDULERS, Distribution
from trivium.tuning.space import Space

SCORE = Objective("score", True)
SPACE = Space({"lr": validate(Distribution, {"loguniform": [0.001, 1.0]})})


def scheduler(settings: object) -> InRounds:
    made: InRounds = build(read_component(settings, SCHEDULERS), SCHEDULERS, {})
    return made


def played(
    settings: object,
    num_trials: int,
    value: Callable[[int, int], float | None],
    length: int,
    objective: Objective = SCORE,
) -> tuple[list[Round], dict[int, int]]:
    """All rounds of trials of `length` reports, and how many reports each trial made."""
    own, rounds, reports = scheduler(settings), list[Round](), dict[int, int]()
    while len(rounds) < 100:
        members = {n: member(n, r, value, length) for n, r in reports.items()}
        generator = np.random.default_rng((0, len(rounds)))
        decided = own.next_round(Standing(rounds, members, objective, SPACE, num_trials, generator))
        if decided is None:
            return rounds, reports
        rounds.append(decided)
        for number in decided.trials:
            until = length if decided.until is None else decided.until
            reports[number] = min(length, max(until, reports.get(number, 0)))
    raise AssertionError("it never ends")


def member(
    number: int, reports: int, value: Callable[[int, int], float | None], length: int
) -> Member:
    last = value(number, reports)
    is_over = reports == length or last is None
    return Member(number, last, last, {"lr": 0.01 * (number + 1)}, is_over)


def by_number(number: int, reports: int) -> float:
    return number + reports / 100


@pytest.mark.parametrize("settings", ["pbt", "synchronous_hyperband"])
def test_rounds_end_and_repeat_with_the_seed(settings: str) -> None:
    rounds, reports = played(settings, 9, by_number, 12)
    assert (rounds, reports) == played(settings, 9, by_number, 12)
    assert sorted(reports) == list(range(9))
    assert reports[8] == 12  # the best trained to its end


def test_the_worst_of_a_population_go_on_from_the_best() -> None:
    rounds, reports = played({"name": "pbt", "interval_reports": 4}, 8, by_number, 10)
    assert [r.until for r in rounds] == [4, 8, 12]
    assert rounds[0].takes == ()
    for later in rounds[1:]:
        assert [t.trial for t in later.takes] == [0, 1]
        assert {t.donor for t in later.takes} <= {6, 7}
        # Near the donor's 0.07 or 0.08, or drawn anew.
        assert all(0.001 <= t.settings["lr"] <= 1.0 for t in later.takes)
    assert set(reports.values()) == {10}


def test_less_may_be_better() -> None:
    rounds, _ = played("pbt", 4, by_number, 4, Objective("loss", False))
    assert [(t.trial, t.donor) for t in rounds[1].takes] == [(3, 0)]


def test_a_trial_that_failed_goes_on_from_one_that_did_not() -> None:
    def value(number: int, reports: int) -> float | None:
        return None if number == 7 else by_number(number, reports)

    rounds, _ = played({"name": "pbt", "quantile": 0.13}, 8, value, 4)
    assert {t.trial for t in rounds[1].takes} == {7}
    assert 7 in rounds[1].trials


def test_without_a_value_anywhere_a_population_ends() -> None:
    assert len(played("pbt", 4, lambda _number, _reports: None, 4)[0]) == 1


@pytest.mark.parametrize(
    ("given", "value", "up", "expected"),
    [
        ({"loguniform": [0.001, 1.0]}, 0.1, True, 0.125),
        ({"loguniform": [0.001, 1.0]}, 0.1, False, 0.08),
        ({"loguniform": [0.001, 1.0]}, 0.9, True, 1.0),
        ({"int": [1, 64]}, 2, True, 3),
        ({"int": [1, 64]}, 40, True, 50),
        ({"int": [1, 64]}, 1, False, 1),
        ({"quantized": [0.0, 0.9, 0.3]}, 0.3, True, 0.6),
        ({"quantized": [0.0, 0.9, 0.3]}, 0.0, False, 0.0),
        ({"choice": ["a", [1], "c"]}, [1], True, "c"),
        ({"choice": ["a", [1], "c"]}, "a", False, "a"),
    ],
)
def test_a_setting_moves_by_the_factor_or_to_its_neighbour(
    given: Mapping[str, object], value: object, up: bool, expected: object
) -> None:
    dimension = Dimension("a", validate(Distribution, given))
    found = moved(dimension, value, up, 1.25)
    assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert dimension.accepts(found)


def test_brackets_are_those_of_the_paper() -> None:
    # Table 1 of Li and others with R = 81 and eta = 3: n and r of the first rung.
    own = scheduler({"name": "synchronous_hyperband", "max_reports": 81})
    assert isinstance(own, SynchronousHyperBand)
    brackets = own.brackets
    assert [count for count, _ in brackets] == [81, 34, 15, 8, 5]
    assert [rungs for _, rungs in brackets] == [(1, 3, 9, 27), (3, 9, 27), (9, 27), (27,), ()]


def test_a_bracket_keeps_the_best_third_at_each_rung_and_the_next_one_begins() -> None:
    settings = {"name": "synchronous_hyperband", "max_reports": 9}
    rounds, reports = played(settings, 12, by_number, 9)
    first = [r for r in rounds if max(r.trials) < 9]
    assert [(r.until, r.trials, r.ended) for r in first] == [
        (1, tuple(range(9)), ()),
        (3, (6, 7, 8), (0, 1, 2, 3, 4, 5)),
        (None, (8,), (6, 7)),
    ]
    # Three trials are left for the second bracket, which would have five.
    assert [r.trials for r in rounds[3:]] == [(9, 10, 11), (11,)]
    assert counts(reports) == {1: 6, 3: 4, 9: 2}


def counts(reports: Mapping[int, int]) -> dict[int, int]:
    values: Sequence[int] = list(reports.values())
    return {v: values.count(v) for v in sorted(set(values))}
