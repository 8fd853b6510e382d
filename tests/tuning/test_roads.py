"""Both kinds of job through one sweep each, on one Ray for the module."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.run import RunFolder
from trivium.tuning.trials import trial_rows

SUPERVISED = """\
dataset: {source: breast-cancer}
model: {name: mlp, hidden: [8]}
algorithm: {name: supervised, epochs: 3, batch_size: 64}
tune:
  num_trials: 3
  scheduler: asha
  final: {top: 1, seeds: 2}
  space:
    algorithm.optimizer: {choice: [adam, sgd]}
    algorithm.optimizer.lr: {loguniform: [0.001, 0.1]}
    algorithm.optimizer.momentum: {uniform: [0, 0.9], when: {algorithm.optimizer: sgd}}
"""
REINFORCED = """\
env: {id: FrozenLake-v1, num_envs: 4}
algorithm: {name: q_learning}
stop: {env_steps: 2000}
evaluation: {interval_env_steps: 1000, episodes: 5, confirm_episodes: 5}
tune:
  num_trials: 2
  search: random
  seeds: 2
  final: {top: 0}
  space: {algorithm.gamma: {uniform: [0.9, 0.99]}}
"""


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    from trivium.trainers.local_ray import ray_session

    with ray_session(num_cpus=2, address="local"):
        yield


def tuned(type_command: Callable[..., Any], tmp_path: Path, text: str) -> RunFolder:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    done = type_command("tune", file, "--store", tmp_path / "runs")
    assert done.code == 0, done.out + done.err
    return RunFolder(tmp_path / "runs" / "job-1")


def test_a_supervised_sweep_with_asha_conditions_and_a_final(
    tmp_path: Path, type_command: Callable[..., Any]
) -> None:
    run = tuned(type_command, tmp_path, SUPERVISED)
    for row in trial_rows(run):
        child = RunFolder(run.path / "children" / str(row.number))
        optimizer = child.job().algorithm.optimizer  # type: ignore[attr-defined]
        assert optimizer.name == row.point["algorithm.optimizer"]
        assert optimizer.lr == row.point["algorithm.optimizer.lr"]
        assert ("algorithm.optimizer.momentum" in row.point) == (optimizer.name == "sgd")
        # The learning rate that was searched is the one that the optimizer stepped with.
        assert {r["train/lr"] for r in child.metrics()} == {optimizer.lr}
        assert child.checkpoint("best") is not None
    assert run.result["num_seeds"] == 2
    assert "validation/accuracy" in run.result["interval_95"]
    assert "test/accuracy" in run.result["metrics"]
    page = run.report.read_text()
    for title in ("Optimization history", "Slice: algorithm.optimizer.lr", "Final on fresh seeds"):
        assert title in page


def test_a_sweep_of_a_policy_scores_each_setting_by_its_mean_over_seeds(
    tmp_path: Path, type_command: Callable[..., Any]
) -> None:
    run = tuned(type_command, tmp_path, REINFORCED)
    rows = trial_rows(run)
    assert [r.status for r in rows] == ["finished", "finished"]
    for row in rows:
        child = RunFolder(run.path / "children" / str(row.number))
        seeds = child.children()
        assert [s.info["seed"] for s in seeds] == [0, 1]
        assert seeds[0].id == f"job-1/{row.number}/0"
        gammas = {s.job().algorithm.gamma for s in seeds}  # type: ignore[attr-defined]
        assert gammas == {row.point["algorithm.gamma"]}
        bests = [max(r.get("evaluation/return_mean", -1) for r in s.metrics()) for s in seeds]
        assert row.value == pytest.approx(sum(bests) / 2)
        assert row.num_reports == 2
    assert run.result["winner"] is None


def test_a_trial_of_two_workers_reserves_their_cpus_alone(
    tmp_path: Path, type_command: Callable[..., Any]
) -> None:
    text = SUPERVISED.replace("num_trials: 3", "num_trials: 1").replace("epochs: 3", "epochs: 2")
    text = text.replace("final: {top: 1, seeds: 2}", "final: {top: 0}")
    run = tuned(type_command, tmp_path, f"{text}resources: {{num_workers: 2}}\n")
    (row,) = trial_rows(run)
    child = RunFolder(run.path / "children" / "0")
    assert (row.status, row.num_reports) == ("finished", 2)
    assert child.job().resources.num_workers == 2
    assert (child.path / "workers" / "1.txt").exists()
