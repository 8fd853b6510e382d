"""What every algorithm of reinforcement learning promises, whatever it learns."""

import pytest

from trivium.platform.algorithm import EvaluateOptions
from trivium.platform.errors import UserError
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import algorithm_class, check_job, write_job
from trivium.trainers.registry import ALGORITHMS
from trivium.trainers.rl.play import play_recorded
from trivium.trainers.rl.trainer import RlTrainer, best_checkpoint

TABLE = {"env": {"id": "CliffWalking-v1", "max_episode_steps": 50}, "model": None}
ON_POLICY = {"rollout_steps": 16}
CASES = {
    "q_learning": TABLE,
    "sarsa": TABLE,
    "expected_sarsa": TABLE,
    "double_q_learning": TABLE,
    "dqn": {"algorithm": {"learning_starts": 100, "batch_size": 16, "buffer_size": 300}},
    "reinforce": {},
    "a2c": {"algorithm": ON_POLICY},
    "ppo": {"algorithm": ON_POLICY | {"minibatch_size": 32, "epochs": 2}},
    "rllib/PPO": {
        "model": None,
        "algorithm": {
            "train_batch_size_per_learner": 64,
            "minibatch_size": 32,
            "num_epochs": 1,
            "model_config": {"fcnet_hiddens": [8]},
        },
    },
}
EXACT = [name for name in CASES if not name.startswith("rllib/")]
"""RLlib's own algorithms resume, but not to the same numbers; they say so."""


def test_every_registered_algorithm_has_a_case() -> None:
    families = {name.partition("/")[0] + "/*" if "/" in name else name for name in CASES}
    registered = {name for name in ALGORITHMS if issubclass(algorithm_class_of(name), RlTrainer)}
    assert families == registered


def algorithm_class_of(name: str):
    return algorithm_class(name.replace("*", "PPO"))


@pytest.fixture
def case(data):
    """Makes the data of an algorithm's job."""

    def make(name: str, **more):
        own = dict(CASES[name])
        env = own.pop("env", "CartPole-v1")
        algorithm = {"name": name} | own.pop("algorithm", {})
        return data(env, algorithm, **({"stop": {"env_steps": 600}} | own | more))

    return make


@pytest.mark.parametrize("name", CASES)
def test_one_seed_gives_one_result_and_another_seed_another(name, case, train, numbers) -> None:
    one, two, other = (train(case(name, seed=seed)) for seed in (0, 0, 1))
    assert numbers(one[1]) == numbers(two[1])
    assert one[0].evaluation.metrics == two[0].evaluation.metrics
    assert numbers(one[1]) != numbers(other[1])


@pytest.mark.parametrize("name", EXACT)
def test_a_stopped_run_resumes_to_the_same_numbers(name, case, train, numbers, tmp_path) -> None:
    job = case(name)
    whole, expected = train(job)
    looks = iter(range(100_000))
    with pytest.raises(Interrupted):
        train(job, tmp_path / "stopped", is_stopping=lambda: next(looks) >= 2)
    outcome, run = train(job, tmp_path / "stopped")
    assert numbers(run) == numbers(expected)
    assert outcome.evaluation.metrics == whole.evaluation.metrics


@pytest.mark.parametrize("name", CASES)
def test_what_it_learned_is_restored_scored_described_and_filmed(name, case, train) -> None:
    data = case(name)
    outcome, run = train(data)
    trainer = algorithm_class(name)(check_job(data))

    names = {k for line in run.metrics() for k in line if k.startswith(("evaluation/", "train/"))}
    described = {metric.name for metric in trainer.metrics}
    assert {n for n in names if n in described} >= {"evaluation/return_mean", "train/return_mean"}
    assert all(metric.meaning and metric.healthy for metric in trainer.metrics)
    if "/" not in name:  # RLlib reports more than is described
        left = {"return_std", "return_ci95", "length_mean", "episodes", "success_rate"}
        assert {n for n in names - described if n.partition("/")[2] not in left} == set()

    files = {f.name for f in best_checkpoint(run).iterdir()}
    assert files == {"manifest.json", "weights.safetensors"}
    scores = [trainer.evaluate(run, EvaluateOptions(episodes=4, seed=s)) for s in (5, 5)]
    assert scores[0].metrics == scores[1].metrics
    assert {"test/return_mean", "test/return_std", "test/return_ci95", "test/length_mean"} <= set(
        scores[0].metrics
    )
    assert trainer.verify(outcome.evaluation.metrics, outcome.evaluation.metrics) is None
    worse = outcome.evaluation.metrics | {"test/return_mean": -1e6}
    assert "the restored policy scores -1e+06" in trainer.verify(outcome.evaluation.metrics, worse)

    film = play_recorded(trainer.load_player(best_checkpoint(run)), trainer.job, 1, seed=3)
    assert len(film.frames) == film.episodes[0].length + 1
    assert film.frames[0].shape[2] == 3


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_it_would_do_and_names_a_misspelt_setting(name, case) -> None:
    data = case(name)
    job = check_job(data)
    preflight = algorithm_class(name)(job).preflight()
    assert preflight.problems == ()
    facts = dict(preflight.facts)
    assert {"environment", "observations", "actions"} < set(facts)
    from ruamel.yaml import YAML

    assert check_job(YAML(typ="safe").load(write_job(job))) == job
    data["algorithm"] |= {"gama": 0.9}
    with pytest.raises(UserError) as error:
        check_job(data)
    text = str(error.value)
    assert text.startswith("algorithm.gama: ") and "gamma" in text
