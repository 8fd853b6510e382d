import os
import signal
import subprocess
import sys
import time

import pytest

from trivium.platform.errors import RunFailed
from trivium.platform.interrupt import Interrupted

PPO = {"name": "ppo", "rollout_steps": 16, "minibatch_size": 32, "epochs": 2}


def test_the_same_seed_gives_the_same_numbers(train, data, numbers) -> None:
    job = data("CartPole-v1", PPO, stop={"env_steps": 1500})
    first, second = (train(job) for _ in range(2))
    assert numbers(first[1]) == numbers(second[1])
    assert first[0].evaluation.metrics == second[0].evaluation.metrics


def test_another_seed_gives_other_numbers(train, data, numbers) -> None:
    first, second = (train(data("CartPole-v1", PPO, seed=s)) for s in (0, 1))
    assert numbers(first[1]) != numbers(second[1])


WAYS = {
    "native": ("CartPole-v1", PPO, {}),
    "copies": ("Acrobot-v1", PPO, {}),
    "normalized": (
        {"id": "Pendulum-v1", "wrappers": ["normalize_observation", "normalize_reward"]},
        PPO,
        {},
    ),
    "memory": ("CartPole-v1", PPO | {"memory": 8}, {}),
    "reinforce": ("CartPole-v1", {"name": "reinforce"}, {}),
    "runners": ("CartPole-v1", PPO, {"resources": {"num_env_runners": 2}}),
}


@pytest.mark.parametrize("way", [w for w in WAYS if w != "runners"])
def test_a_stopped_run_resumes_to_the_same_numbers(train, data, numbers, tmp_path, way) -> None:
    env, algorithm, more = WAYS[way]
    job = data(env, algorithm, stop={"env_steps": 1500}, **more)
    whole, expected = train(job)
    folder = tmp_path / "stopped"
    calls = iter(range(100_000))
    with pytest.raises(Interrupted):
        train(job, folder, is_stopping=lambda: next(calls) >= 6)
    outcome, run = train(job, folder)
    assert numbers(run) == numbers(expected)
    assert outcome.evaluation.metrics == whole.evaluation.metrics


SCRIPT = """
import sys
from trivium.platform.job import check_job, algorithm_class
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
import json
job = check_job(json.loads(sys.argv[2]))
writer = RunWriter(RunFolder(Path(sys.argv[1])), checkpoint_interval_s=0.0)
algorithm_class(job.algorithm.name)(job).train(writer)
"""


NORMALIZED = {"id": "Pendulum-v1", "wrappers": ["normalize_observation", "normalize_reward"]}
DQN = {
    "name": "dqn",
    "batch_size": 16,
    "buffer_size": 1000,
    "learning_starts": 200,
    "n_step": 3,
    "prioritized": {"beta": {"start": 0.4, "end": 1.0, "env_steps": 3000}},
}
KILLED = {
    "ppo": ("CartPole-v1", PPO, 6000),
    "ppo with statistics": (NORMALIZED, PPO, 6000),
    "a2c": ("CartPole-v1", {"name": "a2c"}, 6000),
    "reinforce": ("CartPole-v1", {"name": "reinforce"}, 6000),
    "dqn with replay": ("CartPole-v1", DQN, 3000),
    "table": ("CliffWalking-v1", {"name": "double_q_learning"}, 40_000),
}


@pytest.mark.parametrize("case", KILLED)
def test_a_killed_run_resumes_to_the_same_numbers(train, data, numbers, tmp_path, case) -> None:
    import json

    env, algorithm, steps = KILLED[case]
    more = {"model": None} if case == "table" else {}
    if case == "table":
        env = {"id": env, "max_episode_steps": 200}
    job = data(env, algorithm, stop={"env_steps": steps}, **more)
    whole, expected = train(job)
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(job)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    metrics = folder / "metrics.jsonl"
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= 3:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    outcome, run = train(job, folder)
    assert numbers(run) == numbers(expected)
    assert outcome.evaluation.metrics == whole.evaluation.metrics


@pytest.mark.parametrize("name", ["ppo", "a2c", "reinforce"])
def test_each_of_the_family_learns_cartpole(train, data, name: str) -> None:
    algorithm = {
        "ppo": {"name": "ppo", "lr": 0.003, "gamma": 0.98, "gae_lambda": 0.8, "rollout_steps": 32},
        "a2c": {"name": "a2c", "lr": 0.004, "gamma": 0.98, "gae_lambda": 0.9, "rollout_steps": 16},
        "reinforce": {"name": "reinforce", "lr": 0.01, "gamma": 0.99},
    }[name]
    job = data(
        {"id": "CartPole-v1", "num_envs": 32},
        algorithm,
        model={"name": "mlp", "hidden": [32, 32], "activation": "tanh"},
        stop={"return_mean": 475, "env_steps": 600_000},
        evaluation={"interval_env_steps": 10_000, "confirm_episodes": 100},
    )
    outcome, _ = train(job)
    assert outcome.evaluation.metrics["test/return_mean"] >= 470


def test_memory_learns_what_one_observation_does_not_show(train, data, counting: str) -> None:
    job = data(
        {"id": f"{counting}:Remember", "num_envs": 32},
        {"name": "ppo", "lr": 0.01, "rollout_steps": 16, "minibatch_size": 128, "memory": 16},
        stop={"return_mean": 0.97, "env_steps": 60_000},
        evaluation={"interval_env_steps": 5_000, "episodes": 50, "confirm_episodes": 50},
    )
    outcome, _ = train(job)
    assert outcome.evaluation.metrics["test/return_mean"] >= 0.95


@pytest.mark.parametrize("algorithm", [PPO, DQN], ids=["ppo", "dqn"])
def test_a_reward_that_is_no_number_is_the_environments_fault(
    train, data, tmp_path, algorithm
) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium, numpy as np\n"
        "class Mine(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n"
        "    steps = 0\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return np.zeros(1, np.float32), {}\n"
        "    def step(self, action):\n"
        "        self.steps += 1\n"
        "        reward = float('nan') if self.steps == 300 else 0.0\n"
        "        return np.zeros(1, np.float32), reward, self.steps % 9 == 0, False, {}\n"
    )
    with pytest.raises(RunFailed) as failure:
        train(data(f"{tmp_path / 'mine.py'}:Mine", algorithm, stop={"env_steps": 3000}))
    assert str(failure.value) == (
        "the environment gave the reward nan; rewards must be finite numbers"
    )


def test_a_failing_environment_ends_the_run_with_its_words(train, data, tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium, numpy as np\n"
        "class Mine(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n"
        "    steps = 0\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return np.zeros(1, np.float32), {}\n"
        "    def step(self, action):\n"
        "        self.steps += 1\n"
        "        if self.steps > 50:\n"
        "            raise ValueError('the valve is stuck')\n"
        "        return np.zeros(1, np.float32), 0.0, self.steps % 9 == 0, False, {}\n"
    )
    with pytest.raises(RunFailed) as failure:
        train(data(f"{tmp_path / 'mine.py'}:Mine", PPO))
    assert str(failure.value) == (
        "the environment failed in step(): ValueError: the valve is stuck"
    )


def test_episodes_are_drawn_from_the_policy_where_the_job_says_so(
    train, data, counting: str
) -> None:
    env = {"id": f"{counting}:Ones", "kwargs": {"length": 20}}
    algorithm = {"name": "ppo", "lr": 1e-6, "rollout_steps": 16, "minibatch_size": 32}
    for sample in (False, True):
        evaluation = {"episodes": 8, "confirm_episodes": 8, "sample": sample}
        outcome, run = train(data(env, algorithm, evaluation=evaluation))
        spreads = [
            r["evaluation/return_std"] for r in run.metrics() if "evaluation/return_std" in r
        ]
        found = outcome.evaluation
        # Greedily each episode is the same.
        assert (found.metrics["test/return_std"] > 0) is sample
        assert all((spread > 0) is sample for spread in spreads)
        kind = "episode" if sample else "greedy episode"
        assert found.exhibits[-1].title.startswith(f"One {kind}: return ")
