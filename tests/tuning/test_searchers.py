"""What every searcher keeps, and what only one of them does."""

import pytest

from trivium.platform.errors import UserError
from trivium.platform.settings import build, read_component, validate
from trivium.tuning.dimension import Point
from trivium.tuning.searchers import Searcher
from trivium.tuning.settings import SEARCHERS, Distribution
from trivium.tuning.space import Space

SPACE = Space(
    {
        "kind": validate(Distribution, {"choice": ["small", [1, 2]]}),
        "lr": validate(Distribution, {"loguniform": [0.001, 1.0]}),
        "width": validate(Distribution, {"logint": [1, 64]}),
        "step": validate(Distribution, {"quantized": [0.1, 0.5, 0.1]}),
        "depth": validate(Distribution, {"int": [1, 3], "when": {"kind": "small"}}),
    }
)


def searcher(settings: object) -> Searcher:
    made: Searcher = build(read_component(settings, SEARCHERS), SEARCHERS, {})
    return made


def drawn(settings: object, count: int, seed: int = 0) -> list[Point]:
    """Points of a study in which the value is the learning rate's distance from 0.1."""
    import optuna

    sampler = searcher(settings).sampler(seed)
    study = optuna.create_study(sampler=sampler)
    points = []
    for _ in range(count):
        trial = study.ask()
        points.append(SPACE.draw(trial))
        study.tell(trial, abs(points[-1]["lr"] - 0.1))
    return points


ALL = [
    "random",
    "nsga2",
    "bayesian",
    {"name": "bayesian", "sampler": "gp", "num_random": 4},
    {"name": "bayesian", "sampler": "cma-es", "num_random": 4},
]


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_every_sampler_draws_points_of_the_space_and_repeats_with_its_seed(
    settings: object,
) -> None:
    points = drawn(settings, 8)
    for point in points:
        assert ("depth" in point) == (point["kind"] == "small")
        assert all(d.accepts(point[d.path]) for d in SPACE.dimensions if d.path in point)
    assert points[:4] == drawn(settings, 4)
    assert points[:4] != drawn(settings, 4, seed=1)


def test_a_grid_gives_its_points_and_says_its_size_when_it_is_too_large() -> None:
    space = Space(
        {
            "a": validate(Distribution, {"int": [1, 20]}),
            "b": validate(Distribution, {"uniform": [0, 1]}),
        }
    )
    points = searcher({"name": "grid", "points": 3}).points(space)
    assert points is not None
    assert len(points) == 9
    with pytest.raises(UserError) as error:
        searcher({"name": "grid", "points": 20, "limit": 100}).points(space)
    assert str(error.value) == (
        "tune.search: the grid has 20 x 20 = 400 points, the limit is 100: search fewer values, "
        "or confirm with search: {name: grid, points: 20, limit: 400}"
    )
