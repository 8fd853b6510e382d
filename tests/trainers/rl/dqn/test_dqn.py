"""Whole runs through the seam, seconds each."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trivium.platform.algorithm import EvaluateOptions
from trivium.platform.errors import UserError
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import algorithm_class, check_job, open_job, read_job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter

JOBS = Path(__file__).parents[4] / "jobs"


def small(**more):
    return {
        "name": "small",
        "env": {"id": "CartPole-v1", "num_envs": 4},
        "model": {"name": "mlp", "hidden": [16], "activation": "tanh"},
        "algorithm": {
            "name": "dqn",
            "batch_size": 16,
            "buffer_size": 300,
            "learning_starts": 100,
            "steps_per_update": 20,
            "epsilon": {"start": 1.0, "end": 0.1, "env_steps": 300},
        },
        "stop": {"env_steps": 800},
        "evaluation": {"interval_env_steps": 400, "episodes": 2, "confirm_episodes": 2},
    } | more


def train(data, folder: Path, is_stopping=lambda: False):
    folder.mkdir(exist_ok=True)
    run = RunFolder(folder)
    job = check_job(data)
    algorithm = algorithm_class(job.algorithm.name)(job)
    writer = RunWriter(run, checkpoint_interval_s=1e9, is_stopping=is_stopping)
    try:
        return algorithm, run, algorithm.train(writer)
    finally:
        writer.close()


def weights(run):
    return load_file(run.checkpoint("last").path / "weights.safetensors")


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one | two)


def test_cartpole_is_solved_by_the_ready_made_job(tmp_path):
    job = read_job(open_job(JOBS / "cartpole-dqn.yaml"))
    run = RunFolder(tmp_path)
    outcome = algorithm_class("dqn")(job).train(RunWriter(run))
    assert outcome.evaluation.metrics["test/return_mean"] > 450
    assert run.metrics()[-1]["env_steps"] <= 15_000


VARIANTS = [
    {},
    {"double": False, "loss": "mse", "target_update_interval": 7},
    {"dueling": True, "n_step": 3},
    {"prioritized": {"beta": {"start": 0.4, "end": 1.0, "env_steps": 800}}},
]


@pytest.mark.parametrize("change", VARIANTS, ids=["plain", "mse", "dueling", "prioritized"])
def test_a_run_that_was_stopped_ends_with_the_same_numbers(change, tmp_path):
    data = small(env={"id": "CartPole-v1", "num_envs": 4, "wrappers": ["normalize_observation"]})
    data["algorithm"] |= change
    _, whole, expected = train(data, tmp_path / "whole")
    looks = iter(range(1000))
    with pytest.raises(Interrupted):
        train(data, tmp_path / "stopped", is_stopping=lambda: next(looks) >= 2)
    _, stopped, outcome = train(data, tmp_path / "stopped")
    assert same(weights(whole), weights(stopped))
    assert outcome.evaluation.metrics == expected.evaluation.metrics


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    runs = [
        weights(train(small(seed=seed), tmp_path / str(i))[1]) for i, seed in enumerate((3, 3, 4))
    ]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize(
    "env",
    [
        {"id": "FrozenLake-v1", "num_envs": 4},
        {"id": "Acrobot-v1", "num_envs": 2, "max_episode_steps": 30},
        {"id": "Blackjack-v1", "num_envs": 4, "wrappers": [{"name": "clip_reward", "low": 0.0}]},
    ],
    ids=["discrete", "copies", "tuple"],
)
def test_other_observations_and_ways_of_stepping_are_learned_too(env, tmp_path):
    algorithm, run, _ = train(small(env=env), tmp_path / "run")
    again = algorithm.evaluate(run, EvaluateOptions(episodes=3, sample=True))
    assert again.metrics["test/episodes"] == 3


def test_what_is_learned_is_told_before_training():
    facts = dict(algorithm_class("dqn")(check_job(small())).preflight().facts)
    assert facts["model"] == "mlp, 114 parameters"
    assert facts["replay"] == "300 transitions, 0.0 MB"
    assert facts["update"] == (
        "8 gradient steps of 16 every 16 environment steps: each transition is replayed 8 times"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"target_update_interval": 10, "target_tau": 0.1},
            "algorithm: target_update_interval copies the network at once, target_tau moves it "
            "slowly: keep one",
        ),
        (
            {"batch_size": 500},
            "algorithm: batch_size 500 is more than the 300 transitions that buffer_size keeps",
        ),
        (
            {"prioritized": {"beta": 2}},
            "algorithm.prioritized.beta: beta must be at most 1, got 2",
        ),
        (
            {"learning_rate": 0.1},
            "algorithm.learning_rate: unknown setting; did you mean learning_starts? (settings "
            "here: name, lr, gamma, batch_size, buffer_size, learning_starts, "
            "train_interval_env_steps, gradient_steps, epsilon, target_update_interval, "
            "target_tau, double, dueling, n_step, prioritized, loss, max_grad_norm, "
            "steps_per_update)",
        ),
    ],
)
def test_mistakes_in_the_settings_name_what_is_right(change, message):
    data = small()
    data["algorithm"] |= change
    with pytest.raises(UserError) as error:
        check_job(data)
    assert str(error.value) == message


def test_continuous_actions_are_refused_with_what_to_take():
    algorithm = algorithm_class("dqn")(check_job(small(env={"id": "Pendulum-v1"})))
    with pytest.raises(UserError) as error:
        algorithm.preflight()
    assert str(error.value) == (
        "env.id: Pendulum-v1 acts by Box(-2.0, 2.0, (1,), float32), and dqn needs Discrete "
        "actions: use ppo, or rllib/SAC for a Box"
    )


def test_normalised_rewards_are_refused():
    with pytest.raises(UserError) as error:
        check_job(small(env={"id": "CartPole-v1", "wrappers": ["normalize_reward"]}))
    assert str(error.value) == (
        "env.wrappers: normalize_reward changes its scale as it learns, and replayed rewards "
        "would keep old ones: take clip_reward, or leave it out"
    )
