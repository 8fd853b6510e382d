"""The search space: what may be drawn, and that the job takes it, told before anything starts."""

from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import open_job, read_job
from trivium.platform.settings import dump, validate
from trivium.tuning.dimension import Dimension
from trivium.tuning.settings import Distribution, TuneSettings
from trivium.tuning.space import Space, check_space, job_with

SUPERVISED = """\
dataset: {source: breast-cancer}
model: {name: mlp, hidden: [32], dropout: 0.2}
algorithm:
  name: supervised
  optimizer: {name: adamw, lr: 0.003}
tune:
  space:
"""
REINFORCED = """\
env: {id: CartPole-v1, num_envs: 4}
model: {name: mlp}
algorithm: {name: ppo}
stop: {env_steps: 1000}
tune:
  space:
"""


def written(tmp_path: Path, space: str, head: str = SUPERVISED) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(head + "".join(f"    {line}\n" for line in space.splitlines()))
    return file


def mistakes(file: Path) -> list[str]:
    opened = open_job(file)
    tune = read_job(opened).tune
    assert isinstance(tune, TuneSettings)
    found = check_space(opened.data, Space(tune.space), tune.points)
    return str(opened.locate(UserError(*found))).replace(f"{file}:", "").splitlines()


def distribution(**given: object) -> Distribution:
    return validate(Distribution, given)


def test_every_mistake_of_a_space_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "algorithm.epoch: {int: [1, 3]}\n"
        "model.dropout: {quantized: [0, 2, 0.5]}\n"
        "model.hidden: {choice: [[16], big]}\n"
        "algorithm.optimizer: {choice: [adam, sgd]}\n"
        "algorithm.optimizer.momentum: {uniform: [0, 0.9]}\n"
        "seed: {int: [0, 9]}\n"
        "algorithm.batch_size: {int: [8, 64], when: {algorithm.optimiser: sgd}}",
    )
    found = mistakes(file)
    assert [m.partition("(settings here")[0].rstrip() for m in found] == [
        "8: tune.space.algorithm.epoch: unknown setting; did you mean epochs?",
        "9: tune.space.model.dropout: must be less than 1, got 2.0",
        "10: tune.space.model.hidden: must be a list, got 'big'",
        "12: tune.space.algorithm.optimizer.momentum: with algorithm.optimizer: adam: "
        "unknown setting",
        "13: tune.space.seed: seed belongs to the sweep and is not searched",
        "14: tune.space.algorithm.batch_size: when: algorithm.optimiser is not searched, so the "
        "condition never changes; did you mean algorithm.optimizer?",
    ]


def test_a_space_that_the_job_takes_has_no_mistakes(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "algorithm.optimizer: {choice: [adam, sgd]}\n"
        "algorithm.optimizer.lr: {loguniform: [1.0e-4, 1.0e-1]}\n"
        "algorithm.optimizer.momentum: {uniform: [0, 0.9], when: {algorithm.optimizer: sgd}}\n"
        "algorithm.batch_size: {logint: [8, 256]}",
    )
    assert check_space(open_job(file).data, Space(read_tune(file).space), ()) == []


def read_tune(file: Path) -> TuneSettings:
    tune = read_job(open_job(file)).tune
    assert isinstance(tune, TuneSettings)
    return tune


def test_first_points_must_lie_in_the_space(tmp_path: Path) -> None:
    space = (
        "algorithm.optimizer.lr: {loguniform: [1.0e-4, 1.0e-1]}\nmodel.hidden: {choice: [[8], [9]]}"
    )
    file = written(tmp_path, space)
    points = [
        {"algorithm.optimizer.lr": 0.5},
        {"model.hidde": [8]},
        {"model.hidden": [8], "algorithm.optimizer.lr": 0.01},
    ]
    found = check_space(open_job(file).data, Space(read_tune(file).space), points)
    assert [str(m) for m in found] == [
        "tune.points.0.algorithm.optimizer.lr: 0.5 is outside the searched values",
        "tune.points.1.model.hidde: is not searched; did you mean model.hidden? "
        "(searched: algorithm.optimizer.lr, model.hidden)",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            "must be exactly one of uniform, loguniform, int, logint, quantized, choice; got none",
        ),
        (
            {"int": [1, 2], "uniform": [0, 1]},
            "must be exactly one of uniform, loguniform, int, logint, quantized, choice; "
            "got uniform and int",
        ),
        ({"uniform": [2, 1]}, "uniform: low must be below high, got [2.0, 1.0]"),
        ({"loguniform": [0, 1]}, "loguniform: low must be above 0, got 0"),
        (
            {"quantized": [0, 1, 2]},
            "quantized: step must be above 0 and at most high - low, got 2",
        ),
        ({"choice": [1]}, "choice: must have two values at least, got [1]"),
    ],
)
def test_a_distribution_that_draws_nothing_is_refused(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as error:
        distribution(**given)
    assert str(error.value) == message


def test_a_distribution_is_written_as_it_was_read() -> None:
    given = {"quantized": [0.0, 1.0, 0.5], "when": {"a": [1, 2]}}
    assert dump(distribution(**given)) == given


def test_a_grid_has_every_combination_and_no_setting_whose_condition_fails() -> None:
    space = Space(
        {
            "momentum": distribution(quantized=[0, 0.9, 0.45], when={"optimizer": "sgd"}),
            "optimizer": distribution(choice=["adam", "sgd"]),
            "hidden": distribution(choice=[[8], [16]]),
        }
    )
    assert space.grid() == [
        {"optimizer": "adam", "hidden": [8]},
        {"optimizer": "adam", "hidden": [16]},
        {"optimizer": "sgd", "hidden": [8], "momentum": 0.0},
        {"optimizer": "sgd", "hidden": [8], "momentum": 0.45},
        {"optimizer": "sgd", "hidden": [8], "momentum": 0.9},
        {"optimizer": "sgd", "hidden": [16], "momentum": 0.0},
        {"optimizer": "sgd", "hidden": [16], "momentum": 0.45},
        {"optimizer": "sgd", "hidden": [16], "momentum": 0.9},
    ]


def test_ranges_of_a_grid_are_cut_evenly_or_by_their_logarithm() -> None:
    assert Dimension("a", distribution(uniform=[0, 1])).grid(3) == (0.0, 0.5, 1.0)
    log = Dimension("a", distribution(loguniform=[0.01, 1])).grid(3)
    assert log == pytest.approx((0.01, 0.1, 1.0))
    assert Dimension("a", distribution(logint=[1, 100])).grid(3) == (1, 10, 100)
    assert Dimension("a", distribution(int=[1, 3])).grid(None) == (1, 2, 3)
    assert Dimension("a", distribution(quantized=[10, 25, 10])).grid(None) == (10, 20)


def test_a_grid_over_a_range_of_numbers_asks_for_a_number_of_points() -> None:
    with pytest.raises(UserError) as error:
        Space({"lr": distribution(uniform=[0, 1])}).grid()
    assert str(error.value) == (
        "tune.space.lr: a grid needs a finite number of values, uniform has more: use choice or "
        "quantized, or give the number of points as search: {name: grid, points: 5}"
    )


def test_conditions_that_go_in_a_circle_are_refused() -> None:
    with pytest.raises(UserError, match=r"^tune\.space: conditions go in a circle: a, b$"):
        Space(
            {
                "a": distribution(int=[0, 1], when={"b": 1}),
                "b": distribution(int=[0, 1], when={"a": 1}),
            }
        )


@pytest.mark.parametrize(
    ("head", "path", "spec", "value"),
    [
        (SUPERVISED, "algorithm.optimizer.lr", "{loguniform: [1.0e-4, 0.1]}", 0.01),
        (SUPERVISED, "algorithm.epochs", "{int: [1, 3]}", 2),
        (SUPERVISED, "algorithm.batch_size", "{logint: [8, 64]}", 16),
        (SUPERVISED, "model.dropout", "{quantized: [0, 0.5, 0.1]}", 0.3),
        (SUPERVISED, "algorithm.schedule", "{choice: [constant, cosine]}", "cosine"),
        (SUPERVISED, "dataset.split.train", "{choice: [0.6, 0.7]}", 0.7),
        (REINFORCED, "algorithm.gamma", "{uniform: [0.9, 0.999]}", 0.95),
        (REINFORCED, "env.num_envs", "{choice: [4, 8]}", 8),
    ],
)
def test_a_value_reaches_the_job_typed_as_an_override_does(
    tmp_path: Path, head: str, path: str, spec: str, value: object
) -> None:
    file = written(tmp_path, f"{path}: {spec}", head)
    searched = job_with(open_job(file).data, {path: value}, "job")
    overridden = read_job(open_job(file, [f"{path}={value}"]))
    assert dump(searched) | {"tune": None} == dump(overridden) | {"tune": None}
    node: object = searched
    for part in path.split("."):
        node = getattr(node, part)
    assert getattr(node, "name", node) == value


def test_a_component_is_chosen_before_its_own_settings(tmp_path: Path) -> None:
    file = written(tmp_path, "algorithm.optimizer: {choice: [adam, sgd]}")
    point = {"algorithm.optimizer.momentum": 0.5, "algorithm.optimizer": "sgd"}
    job = job_with(open_job(file).data, point, "job")
    assert (job.algorithm.optimizer.name, job.algorithm.optimizer.momentum) == ("sgd", 0.5)
