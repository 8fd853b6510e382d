"""RLlib's own algorithms through the seam: small runs without Ray actors."""

from pathlib import Path

import numpy as np
import pytest

from trivium.platform.algorithm import EvaluateOptions
from trivium.platform.errors import UserError
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import algorithm_class, check_job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
from trivium.trainers.rl.play import play_recorded

TWO_AGENTS = f"{Path(__file__).parent / 'two_agents.py'}:Bits"


def small(algorithm, **more):
    return {
        "name": "stock",
        "env": {"id": "CartPole-v1", "num_envs": 2},
        "algorithm": algorithm,
        "stop": {"env_steps": 400},
        "evaluation": {"interval_env_steps": 400, "episodes": 2, "confirm_episodes": 2},
    } | more


PPO = {
    "name": "rllib/PPO",
    "train_batch_size_per_learner": 200,
    "minibatch_size": 100,
    "num_epochs": 2,
    "model_config": {"fcnet_hiddens": [16]},
}


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


OFF_POLICY = {
    "num_steps_sampled_before_learning_starts": 50,
    "train_batch_size_per_learner": 16,
    "model_config": {"fcnet_hiddens": [16]},
}
CARTPOLE = {"id": "CartPole-v1", "num_envs": 2}
PENDULUM = {"id": "Pendulum-v1", "num_envs": 1, "max_episode_steps": 50}
ASYNCHRONOUS = {"train_batch_size_per_learner": 100, "model_config": {"fcnet_hiddens": [16]}}
CASES = {
    "PPO": (PPO, CARTPOLE),
    "PPO, discrete observations": (PPO, {"id": "FrozenLake-v1", "num_envs": 2}),
    "SAC": ({"name": "rllib/SAC"} | OFF_POLICY, PENDULUM),
    "TQC": ({"name": "rllib/TQC"} | OFF_POLICY, PENDULUM),
    "DQN": ({"name": "rllib/DQN"} | OFF_POLICY, CARTPOLE),
    "APPO": ({"name": "rllib/APPO"} | ASYNCHRONOUS, CARTPOLE),
    "IMPALA": ({"name": "rllib/IMPALA"} | ASYNCHRONOUS, CARTPOLE),
}


@pytest.mark.parametrize("case", CASES)
def test_the_restored_policy_plays_as_training_recorded(case, tmp_path):
    algorithm, env = CASES[case]
    trainer, run, outcome = train(small(algorithm, env=env), tmp_path / "run")
    last = run.metrics()[-1]
    assert last["env_steps"] >= 400
    assert any(np.isfinite(v) for k, v in last.items() if "loss" in k)
    folder = run.checkpoint("best").path
    names = sorted(f.name for f in folder.iterdir())
    assert names == ["manifest.json", "weights.safetensors"]
    again = trainer.evaluate(run, EvaluateOptions(episodes=2, seed=3))
    twice = trainer.evaluate(run, EvaluateOptions(episodes=2, seed=3))
    assert again.metrics == twice.metrics
    assert trainer.verify(outcome.evaluation.metrics, outcome.evaluation.metrics) is None


@pytest.mark.parametrize("case", ["PPO", "SAC", "DQN"])
def test_the_same_seed_gives_the_same_numbers(case, tmp_path):
    algorithm, env = CASES[case]
    data = small(algorithm, env=env)
    runs = [train(data, tmp_path / name)[1] for name in ("one", "two")]
    one, two = ([{k: v for k, v in m.items() if "/" in k} for m in run.metrics()] for run in runs)
    assert one == two


@pytest.mark.parametrize("case", ["SAC", "TQC", "DQN", "APPO", "IMPALA"])
def test_a_stopped_run_goes_on_whatever_the_algorithm(case, tmp_path):
    algorithm, env = CASES[case]
    data = small(algorithm, env=env)
    looks = iter(range(100_000))
    with pytest.raises(Interrupted):
        train(data, tmp_path / "run", is_stopping=lambda: next(looks) >= 2)
    _, run, _ = train(data, tmp_path / "run")
    assert run.metrics()[-1]["env_steps"] >= 400


def test_dreamer_trains_and_plays_with_its_memory(tmp_path):
    algorithm = {
        "name": "rllib/DreamerV3",
        "model_size": "nano",
        "training_ratio": 16,
        "batch_size_B": 2,
        "batch_length_T": 8,
        "horizon_H": 3,
    }
    env = {"id": "CartPole-v1", "num_envs": 1}
    data = small(algorithm, env=env, stop={"env_steps": 60})
    data["evaluation"] = {"interval_env_steps": 60, "episodes": 1, "confirm_episodes": 1}
    trainer, run, _ = train(data, tmp_path / "run")
    assert run.metrics()[-1]["env_steps"] >= 60
    again = trainer.evaluate(run, EvaluateOptions(episodes=1, seed=3))
    assert again.metrics["test/length_mean"] > 5


def test_no_ray_is_started_where_no_actor_is_needed(tmp_path):
    import ray

    trainer, *_ = train(small(PPO), tmp_path / "run")
    assert not ray.is_initialized()
    facts = dict(trainer.preflight().facts)
    assert facts["algorithm"].endswith("in this process, without Ray actors")


def test_a_stopped_run_goes_on_with_its_weights_and_counters(tmp_path):
    looks = iter(range(1000))
    data = small(PPO, stop={"env_steps": 600})
    with pytest.raises(Interrupted):
        train(data, tmp_path / "run", is_stopping=lambda: next(looks) >= 0)
    before = RunFolder(tmp_path / "run").checkpoint("last").step
    _, run, _ = train(data, tmp_path / "run")
    assert before == 1
    assert 600 <= run.metrics()[-1]["env_steps"] < 900


def test_two_agents_learn_a_policy_each(tmp_path):
    algorithm = PPO | {
        "policy_mapping": "per_agent",
        "lr": 0.01,
        "train_batch_size_per_learner": 400,
        "num_epochs": 8,
    }
    data = small(
        algorithm,
        env={"id": TWO_AGENTS, "num_envs": 1},
        stop={"env_steps": 2000},
        evaluation={"interval_env_steps": 1000, "episodes": 3, "confirm_episodes": 3},
    )
    trainer, run, outcome = train(data, tmp_path / "run")
    assert dict(trainer.preflight().facts)["policies"] == "other, same"
    assert outcome.evaluation.metrics["test/return_mean"] == 20
    again = trainer.evaluate(run, EvaluateOptions(episodes=2))
    assert again.metrics["test/return_mean"] == 20
    assert "train/same/total_loss" in run.metrics()[-1]
    film = play_recorded(trainer.load_player(run.checkpoint("best").path), trainer.job, 2, seed=1)
    assert [int(f[0, 0, 0]) for f in film.frames] == [*range(11)] * 2
    assert [e.episode_return for e in film.episodes] == [20, 20]
    pictures = outcome.evaluation.exhibits[-1]
    assert [p.caption for p in pictures.pictures] == ["step 0", "step 3", "step 7", "step 10"]


def test_policies_are_mapped_for_many_agents_only():
    trainer = algorithm_class("rllib/PPO")(check_job(small(PPO | {"policy_mapping": "per_agent"})))
    with pytest.raises(UserError) as error:
        trainer.preflight()
    assert str(error.value) == (
        "algorithm.policy_mapping: CartPole-v1 has one agent; only a MultiAgentEnv of RLlib has "
        "policies to map"
    )
