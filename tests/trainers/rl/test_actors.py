"""Runners and learners in Ray actors; one Ray for the module, as starting it takes seconds."""

import os
from collections.abc import Iterator

import pytest

from trivium.platform.errors import RunFailed
from trivium.platform.interrupt import Interrupted
from trivium.trainers.local_ray import ray_session
from trivium.trainers.rl.remote import ActorDied, results

PPO = {"name": "ppo", "rollout_steps": 16, "minibatch_size": 64, "epochs": 2}


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    with ray_session(num_cpus=4, address="local"):
        yield


def test_two_runners_and_two_learners_resume_to_the_same_numbers(
    train, data, numbers, tmp_path
) -> None:
    env = {"id": "CartPole-v1", "wrappers": ["normalize_observation", "normalize_reward"]}
    resources = {"num_env_runners": 2, "num_learners": 2}
    job = data(env, PPO, resources=resources, stop={"env_steps": 1000})
    whole, expected = train(job)
    folder = tmp_path / "stopped"
    calls = iter(range(100_000))
    with pytest.raises(Interrupted):
        train(job, folder, is_stopping=lambda: next(calls) >= 4)
    outcome, run = train(job, folder)
    assert numbers(run) == numbers(expected)
    assert outcome.evaluation.metrics == whole.evaluation.metrics


def test_two_learners_learn_what_one_learns(train, data, numbers) -> None:
    first, second = (
        numbers(train(data("CartPole-v1", PPO, resources={"num_learners": n}))[1]) for n in (0, 2)
    )
    assert [r["env_steps"] for r in first] == [r["env_steps"] for r in second]
    for one, two in zip(first[:3], second[:3], strict=True):
        assert two["train/value_loss"] == pytest.approx(one["train/value_loss"], rel=1e-3)
        assert two["train/entropy"] == pytest.approx(one["train/entropy"], rel=1e-4)


def test_an_environment_that_fails_in_a_runner_says_so_here(train, data, tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium, numpy as np\n"
        "class Mine(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return np.zeros(1, np.float32), {}\n"
        "    def step(self, action):\n"
        "        raise ValueError('the valve is stuck')\n"
    )
    job = data(f"{tmp_path / 'mine.py'}:Mine", PPO, resources={"num_env_runners": 1})
    with pytest.raises(RunFailed) as failure:
        train(job)
    assert str(failure.value) == (
        "the environment failed in step(): ValueError: the valve is stuck"
    )


def test_a_runner_that_dies_once_leaves_the_numbers_as_they_were(
    train, data, numbers, tmp_path
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os, pathlib\n"
        "from gymnasium.envs.classic_control.cartpole import CartPoleEnv\n"
        "class Mine(CartPoleEnv):\n"
        "    steps = 0\n"
        "    def __init__(self, mark='', spared=0):\n"
        "        super().__init__()\n"
        "        self.spared = spared\n"
        "        self.mark = pathlib.Path(mark) if mark else None\n"
        "    def step(self, action):\n"
        "        Mine.steps += 1\n"
        "        is_runner = self.spared != os.getpid()\n"
        "        if self.mark and is_runner and Mine.steps > 1000 and not self.mark.exists():\n"
        "            self.mark.touch()\n"
        "            os._exit(1)\n"
        "        return super().step(action)\n"
    )
    env = {"id": f"{tmp_path / 'mine.py'}:Mine"}
    resources, stop = {"num_env_runners": 1}, {"env_steps": 2000}
    whole = train(data(env, PPO, resources=resources, stop=stop))[1]
    mark = {"mark": str(tmp_path / "mark"), "spared": os.getpid()}
    dying = env | {"kwargs": mark}
    job = data(dying, PPO, resources=resources, stop=stop)
    run = train(job, checkpoint_interval_s=1000)[1]  # it begins anew from the very beginning
    assert (tmp_path / "mark").exists()
    assert numbers(run) == numbers(whole)


def test_a_runner_that_dies_ends_the_run_with_the_way_on(
    train, data, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("trivium.trainers.rl.training.MOST_DEATHS", 1)
    (tmp_path / "mine.py").write_text(
        "import gymnasium, os, numpy as np\n"
        "class Mine(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return np.zeros(1, np.float32), {}\n"
        "    def step(self, action):\n"
        "        os._exit(1)\n"
    )
    job = data(f"{tmp_path / 'mine.py'}:Mine", PPO, resources={"num_env_runners": 1})
    with pytest.raises(RunFailed) as failure:
        train(job)
    message = str(failure.value)
    assert message.startswith(
        "env runner 1 died; most often the machine is out of memory. Worker exit type: "
    )
    assert message.endswith("; `trivium resume` goes on from the last checkpoint")
    assert "common causes" not in message


def test_a_runner_that_ray_ends_for_want_of_memory_has_died(monkeypatch) -> None:
    # Ray's error for it is no RayActorError: the run was lost.
    import ray

    def get(_reference: object) -> None:
        raise ray.exceptions.OutOfMemoryError(
            "1 worker(s) were killed due to the node running low on memory. Memory on the node "
            "(IP: 10.0.0.7, ID: ab) was 8.27GB used / 23.54GB limit (0.351324)\nOOM kill reason"
        )

    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(ActorDied) as death:
        results([None], "env runner")
    assert death.value.who == (
        "env runner 1 died; its node ran out of memory (8.27 of 23.54 GB in use), and Ray ended "
        "it. Take fewer copies of the environment (env.num_envs), fewer actors for each node "
        "(resources.num_env_runners, resources.num_learners), or nodes with more memory"
    )
