"""Whole runs through the seam, seconds each."""

from pathlib import Path

import numpy as np
import pytest

from trivium.platform.algorithm import EvaluateOptions
from trivium.platform.errors import UserError
from trivium.platform.exhibit import Pictures, Table
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import algorithm_class, check_job, write_job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
from trivium.trainers.rl.tabular.player import load_table
from trivium.trainers.rl.tabular.toy_text import dynamics_of

RULES = ["q_learning", "sarsa", "expected_sarsa", "double_q_learning"]


def cliff(name="q_learning", **more):
    return {
        "name": "cliff",
        "env": {"id": "CliffWalking-v1", "num_envs": 32, "max_episode_steps": 200},
        "algorithm": {"name": name, "lr": 0.5, "gamma": 1.0, "steps_per_update": 20},
        "stop": {"env_steps": 12_800},
        "evaluation": {"interval_env_steps": 6400, "episodes": 1, "confirm_episodes": 1},
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


def table_of(run):
    return load_table(run.checkpoint("last").path)[0].values


def test_q_learning_finds_the_shortest_way_along_the_cliff(tmp_path):
    algorithm, run, outcome = train(cliff(), tmp_path / "run")
    assert outcome.evaluation.metrics["test/return_mean"] == -13
    kinds = [type(e) for e in outcome.evaluation.exhibits]
    assert Pictures in kinds and Table in kinds
    again = algorithm.evaluate(run, EvaluateOptions(episodes=1))
    assert again.metrics["test/return_mean"] == -13


@pytest.mark.parametrize(
    "exploration",
    [
        {"name": "softmax", "temperature": {"start": 5.0, "end": 0.5, "env_steps": 10_000}},
        {"name": "ucb", "bonus": 2.0},
    ],
)
def test_it_does_so_by_other_explorations_too(exploration, tmp_path):
    data = cliff(env=cliff()["env"] | {"num_envs": 4})
    data["algorithm"] |= {"exploration": exploration}
    *_, outcome = train(data, tmp_path / "run")
    assert outcome.evaluation.metrics["test/return_mean"] == -13


def test_sarsa_keeps_off_the_edge_that_q_learning_walks_along(tmp_path):
    data = cliff("sarsa", stop={"env_steps": 64_000})
    data["algorithm"] |= {"lr": 0.2, "exploration": {"name": "epsilon_greedy", "epsilon": 0.2}}
    *_, outcome = train(data, tmp_path / "run")
    assert -21 <= outcome.evaluation.metrics["test/return_mean"] < -13


def test_frozen_lake_is_solved_to_its_optimum(tmp_path):
    data = {
        "env": {"id": "FrozenLake-v1", "num_envs": 256},
        "algorithm": {
            "name": "q_learning",
            "lr": 0.005,
            "average_first": True,
            "initial_value": 1.0,
            "exploration": {"name": "epsilon_greedy", "epsilon": 0.3},
        },
        "stop": {"env_steps": 200_000},
        "evaluation": {"episodes": 20, "confirm_episodes": 20},
    }
    algorithm, run, _ = train(data, tmp_path / "run")
    player = algorithm.load_player(run.checkpoint("last").path)
    greedy = player.table.mean.argmax(axis=1)
    assert success_rate(greedy) > 0.98 * 0.740


def success_rate(actions):
    """Exact chance to reach the goal of FrozenLake 4x4 in its 100 steps."""
    import gymnasium

    env = gymnasium.make("FrozenLake-v1")
    dynamics = dynamics_of(env)
    shares = np.diff(dynamics.cumulative, axis=2, prepend=0.0)
    rows = np.arange(16)
    chance = np.zeros(16)
    for _ in range(100):
        going_on = ~dynamics.terminated[rows, actions] * chance[dynamics.next_state[rows, actions]]
        chance = (shares[rows, actions] * (dynamics.reward[rows, actions] + going_on)).sum(axis=1)
    return chance[0]


def test_blackjack_is_learned_by_the_environment_itself(tmp_path):
    data = {
        "env": {"id": "Blackjack-v1", "num_envs": 16},
        "algorithm": {"name": "double_q_learning", "average_first": True, "lr": 0.0, "gamma": 1.0},
        "stop": {"env_steps": 16_000},
        "evaluation": {"episodes": 10, "confirm_episodes": 10},
    }
    algorithm, run, outcome = train(data, tmp_path / "run")
    facts = dict(algorithm.preflight().facts)
    assert facts["simulator"] == "the environment itself"
    assert facts["table"] == "704 states x 2 actions = 1,408 entries"
    values = load_table(run.checkpoint("last").path)[0].mean.reshape(32, 11, 2, 2)
    stick, hit = values[20, 10, 0]
    assert stick > hit  # at 20 nobody asks for another card
    titles = [e.title for e in outcome.evaluation.exhibits]
    assert "Greedy action, part 2 = 1" in titles


def test_the_simulator_is_named_before_training():
    job = check_job(cliff())
    facts = dict(algorithm_class("q_learning")(job).preflight().facts)
    assert facts["simulator"] == (
        "32 copies at once by the environment's own transition table, compiled; the learner sees "
        "samples only, and evaluation plays the environment itself"
    )
    assert facts["table"] == "48 states x 4 actions = 192 entries"
    assert facts["update"] == "every 640 environment steps, learning in each"


@pytest.mark.parametrize("rule", RULES)
def test_the_same_seed_gives_the_same_table_and_another_seed_another(rule, tmp_path):
    tables = [
        table_of(train(cliff(rule, seed=seed), tmp_path / str(i))[1])
        for i, seed in enumerate((3, 3, 4))
    ]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


@pytest.mark.parametrize(
    ("rule", "env"),
    [
        *(
            (rule, {"id": "CliffWalking-v1", "num_envs": 32, "max_episode_steps": 200})
            for rule in RULES
        ),
        ("sarsa", {"id": "Blackjack-v1", "num_envs": 4}),
        ("q_learning", {"id": "Taxi-v3", "num_envs": 4, "kwargs": {"fickle_passenger": True}}),
    ],
)
def test_a_run_that_was_stopped_ends_with_the_same_numbers(rule, env, tmp_path):
    data = cliff(rule, env=env, stop={"env_steps": 6400})
    _, whole, expected = train(data, tmp_path / "whole")
    looks = iter(range(1000))
    with pytest.raises(Interrupted):
        train(data, tmp_path / "stopped", is_stopping=lambda: next(looks) >= 4)
    _, stopped, outcome = train(data, tmp_path / "stopped")
    assert np.array_equal(table_of(whole), table_of(stopped))
    assert outcome.evaluation.metrics == expected.evaluation.metrics


def test_the_table_is_exported_as_csv(tmp_path):
    algorithm, run, _ = train(cliff(), tmp_path / "run")
    [(what, file)] = algorithm.export(run, tmp_path / "out")
    assert what == "the table of action values, a line per visited state"
    lines = file.read_text().splitlines()
    assert lines[0] == "state_0,greedy_action,q_0,q_1,q_2,q_3"
    assert lines[-1].startswith("36,0,-13.0,")  # the start: up


def test_the_resolved_job_repeats_the_job():
    from ruamel.yaml import YAML

    job = check_job(cliff("double_q_learning"))
    assert check_job(YAML(typ="safe").load(write_job(job))) == job


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"lr": 1.5},
            "algorithm: lr must be at most 1, got 1.5",
        ),
        (
            {"lr": 0},
            "algorithm: lr must stay above 0, got 0",
        ),
        (
            {"exploration": "greedy"},
            "algorithm.exploration.name: unknown name 'greedy'; did you mean epsilon_greedy? "
            "(known: epsilon_greedy, softmax, ucb; or your own as file.py:Name)",
        ),
        (
            {"epsilon": 0.1},
            "algorithm.epsilon: unknown setting (settings here: name, lr, average_first, gamma, "
            "exploration, initial_value, steps_per_update)",
        ),
    ],
)
def test_mistakes_in_the_settings_name_what_is_right(change, message):
    data = cliff()
    data["algorithm"] |= change
    with pytest.raises(UserError) as error:
        check_job(data)
    assert str(error.value) == message


def test_a_wrapper_for_networks_is_refused():
    data = cliff()
    data["env"] |= {"wrappers": ["normalize_reward"]}
    with pytest.raises(UserError) as error:
        check_job(data)
    assert str(error.value) == (
        "env.wrappers: normalize_reward scales what a network reads, and q_learning learns a "
        "table: leave it out"
    )
