from typing import Any

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import check_job


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as error:
        check_job(data)
    return [str(m) for m in error.value.mistakes]


def test_a_minibatch_that_does_not_divide_the_rollout_gets_the_nearest_that_do(data) -> None:
    algorithm = {"name": "ppo", "rollout_steps": 128, "minibatch_size": 48}
    assert mistakes(data("CartPole-v1", algorithm)) == [
        "algorithm.minibatch_size 48 does not divide the rollout of 128 steps x 4 copies = 512; "
        "nearest: 32 or 64"
    ]


def test_training_without_an_end_is_refused(data) -> None:
    assert mistakes(data("CartPole-v1", "a2c", stop={})) == [
        "stop: training would never end: give return_mean, env_steps or time_s"
    ]


def test_workers_of_supervised_training_are_refused(data) -> None:
    assert mistakes(data("CartPole-v1", "a2c", resources={"num_workers": 2})) == [
        "resources.num_workers is for supervised training; reinforcement learning takes "
        "num_env_runners and num_learners"
    ]


def test_reinforce_refuses_runners(data) -> None:
    assert mistakes(data("CartPole-v1", "reinforce", resources={"num_env_runners": 2})) == [
        "resources.num_env_runners: reinforce steps in one process; leave it out"
    ]


def test_settings_without_effect_are_refused(data) -> None:
    assert mistakes(data("CartPole-v1", {"name": "ppo", "epochs": 1, "target_kl": 0.1})) == [
        "algorithm: target_kl ends an update between epochs, and epochs is 1: raise it"
    ]
    assert mistakes(data("CartPole-v1", {"name": "ppo", "memory": 4, "shared": True})) == [
        "algorithm: memory: its LSTM is shared by actor and critic already; leave out shared"
    ]
    assert mistakes(data("CartPole-v1", {"name": "reinforce", "baseline": "none"})) == [
        "algorithm: baseline none: normalize_advantages subtracts the mean; set it to false"
    ]


def test_two_ways_of_one_limit_are_refused(data) -> None:
    env = {
        "id": "CartPole-v1",
        "max_episode_steps": 9,
        "wrappers": [{"name": "time_limit", "steps": 9}],
    }
    assert mistakes(data(env, "a2c")) == [
        "env: max_episode_steps and the wrapper time_limit are the same limit: keep one"
    ]


def test_a_misspelt_wrapper_gets_the_nearest_one(data) -> None:
    (message,) = mistakes(data({"id": "CartPole-v1", "wrappers": ["normalise_reward"]}, "a2c"))
    assert message.startswith(
        "env.wrappers.0.name: unknown name 'normalise_reward'; did you mean normalize_reward? ("
    )


def test_settings_of_continuous_actions_are_problems_where_there_are_none(data) -> None:
    from trivium.platform.job import algorithm_class

    job = check_job(data("CartPole-v1", {"name": "ppo", "action_bounds": "tanh"}))
    assert algorithm_class("ppo")(job).preflight().problems == (
        "algorithm.action_bounds: is for continuous actions, and CartPole-v1 has Discrete(2); "
        "leave it out",
    )


def test_a_network_that_mixes_rows_is_refused(data, counting: str) -> None:
    from trivium.platform.job import algorithm_class

    env = {"id": f"{counting}:Parity", "kwargs": {"observation": "image"}}
    job = check_job(data(env, "ppo", model={"name": "cnn", "channels": [4]}))
    with pytest.raises(UserError) as error:
        algorithm_class("ppo")(job).preflight()
    assert str(error.value) == (
        "model: BatchNorm2d makes an action depend on the other copies: give normalization: none"
    )


def test_the_resolved_job_reads_back_equal(data) -> None:
    from trivium.platform.settings import dump

    env = {"id": "Pendulum-v1", "wrappers": ["normalize_observation"]}
    algorithm = {"name": "ppo", "lr": {"start": 0.01, "end": 0.001, "env_steps": 100}}
    job = check_job(data(env, algorithm))
    assert check_job(dump(job)) == job
