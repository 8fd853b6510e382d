"""RLlib's offline algorithms: they learn from recorded episodes, in this process."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from trivium.platform.algorithm import EvaluateOptions
from trivium.platform.errors import UserError
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import algorithm_class, check_job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
from trivium.trainers.rl.episode_file import EpisodeRecorder, write_episodes

SMALL = {"fcnet_hiddens": [16]}
ALGORITHMS = {
    "BC": {"train_batch_size_per_learner": 64, "model_config": SMALL},
    "MARWIL": {"train_batch_size_per_learner": 64, "model_config": SMALL},
    "CQL": {"train_batch_size_per_learner": 16, "model_config": SMALL},
    "IQL": {"train_batch_size_per_learner": 16, "model_config": SMALL},
}
ENVS = {
    "BC": {"id": "CartPole-v1"},
    "MARWIL": {"id": "CartPole-v1"},
    "CQL": {"id": "Pendulum-v1", "max_episode_steps": 20},
    "IQL": {"id": "Pendulum-v1", "max_episode_steps": 20},
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> dict[str, str]:
    """A file of each environment: a CartPole that is balanced, a Pendulum that is let hang."""
    folder = tmp_path_factory.mktemp("episodes")
    files = {}
    for name, act in (("CartPole-v1", balance), ("Pendulum-v1", hang)):
        env = EpisodeRecorder(gymnasium.make(name, max_episode_steps=100))
        for seed in range(8):
            obs, over = env.reset(seed=seed)[0], False
            while not over:
                obs, _, terminated, truncated, _ = env.step(act(obs))
                over = terminated or truncated
        files[name] = str(folder / f"{name}.parquet")
        write_episodes(env.columns, Path(files[name]))
    return files


def balance(obs):
    return int(obs[2] + 0.3 * obs[3] + 0.05 * obs[1] > 0)


def hang(obs):
    return np.array([-0.2 * obs[2]], np.float32)


def job(name, recordings, **more):
    env = ENVS[name]
    return {
        "name": "offline",
        "env": {"num_envs": 4} | env,
        "algorithm": {"name": f"rllib/{name}", "episodes": recordings[env["id"]]}
        | ALGORITHMS[name],
        "stop": {"env_steps": 320},
        "evaluation": {"interval_env_steps": 160, "episodes": 2, "confirm_episodes": 2},
    } | more


def train(data, folder: Path, is_stopping=lambda: False):
    folder.mkdir(exist_ok=True)
    run = RunFolder(folder)
    checked = check_job(data)
    algorithm = algorithm_class(checked.algorithm.name)(checked)
    writer = RunWriter(run, checkpoint_interval_s=1e9, is_stopping=is_stopping)
    try:
        return algorithm, run, algorithm.train(writer)
    finally:
        writer.close()


def losses(run):
    return [{k: v for k, v in line.items() if "/" in k} for line in run.metrics()]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_trains_evaluates_and_resumes_to_the_same_numbers(name, recordings, tmp_path) -> None:
    import ray

    data = job(name, recordings)
    trainer, whole, outcome = train(data, tmp_path / "whole")
    assert whole.metrics()[-1]["env_steps"] >= 320
    assert np.isfinite(whole.metrics()[-1]["train/total_loss"])
    again = trainer.evaluate(whole, EvaluateOptions(episodes=2, seed=3))
    assert again.metrics == trainer.evaluate(whole, EvaluateOptions(episodes=2, seed=3)).metrics
    looks = iter(range(1000))
    with pytest.raises(Interrupted):
        train(data, tmp_path / "stopped", is_stopping=lambda: next(looks) >= 2)
    _, stopped, same = train(data, tmp_path / "stopped")
    assert losses(stopped) == losses(whole)
    assert same.evaluation.metrics == outcome.evaluation.metrics
    assert not ray.is_initialized()


def test_behaviour_cloning_learns_what_was_recorded(recordings, tmp_path) -> None:
    data = job("BC", recordings, stop={"env_steps": 100_000, "return_mean": 300})
    data["algorithm"] |= {
        "lr": 0.005,
        "train_batch_size_per_learner": 256,
        "dataset_num_iters_per_learner": 20,
    }
    data["evaluation"] = {"interval_env_steps": 10_000, "episodes": 5, "confirm_episodes": 20}
    *_, outcome = train(data, tmp_path / "run")
    assert outcome.evaluation.metrics["test/return_mean"] > 250


def refused(data) -> str:
    with pytest.raises(UserError) as error:
        check_job(data)
    return str(error.value)


def test_episodes_are_for_offline_algorithms_and_needed_by_them(recordings) -> None:
    data = job("BC", recordings)
    del data["algorithm"]["episodes"]
    assert refused(data) == (
        "algorithm.episodes: is required: BC learns from recorded episodes; `trivium play RUN "
        "--episodes 100 --data episodes.parquet` records those of a trained policy"
    )
    data["algorithm"]["input_"] = "x"
    assert refused(data) == "algorithm.input_: belongs to algorithm.episodes"
    online = job("BC", recordings) | {"algorithm": {"name": "rllib/PPO", "episodes": "x.parquet"}}
    assert refused(online) == (
        "algorithm.episodes: PPO learns from episodes that it plays itself; leave it out (BC, CQL, "
        "IQL, MARWIL learn from recorded ones)"
    )
    online["algorithm"] = {"name": "rllib/PPO", "dataset_num_iters_per_learner": 3}
    assert refused(online) == (
        "algorithm.dataset_num_iters_per_learner: is for algorithms that learn from recorded "
        "episodes, and PPO does not"
    )
    assert refused(job("BC", recordings, resources={"num_env_runners": 2})) == (
        "resources.num_env_runners: BC learns from recorded episodes and steps no environment; "
        "leave it out"
    )


def test_a_pass_over_the_episodes_draws_each_step_once(recordings) -> None:
    from trivium.trainers.rl.rllib.config import make_config
    from trivium.trainers.rl.rllib.offline import RecordedData

    data = RecordedData(make_config(check_job(job("MARWIL", recordings))))
    total = sum(len(e) for e in data._episodes)
    drawn = [(e.id_, e.t_started, len(e)) for _ in range(total // 64 + 1) for e in data.draw(64)]
    steps = [(i, t) for i, start, count in drawn for t in range(start, start + count)]
    assert len(set(steps[:total])) == total


def test_the_files_are_looked_at_before_training(recordings, tmp_path) -> None:
    data = job("BC", recordings)
    data["algorithm"]["episodes"] = recordings["Pendulum-v1"]
    checked = check_job(data)
    with pytest.raises(UserError) as error:
        algorithm_class("rllib/BC")(checked).preflight()
    assert "obs has 3 values in a row" in str(error.value)
