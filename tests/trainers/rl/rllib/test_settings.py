"""The settings of RLlib's algorithms, checked by their names before anything is built."""

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import check_job, write_job
from trivium.trainers.rl.rllib.catalog import config_class, settings_of
from trivium.trainers.rl.rllib.config import policies_of

INSTALLED = [
    "APPO",
    "BC",
    "CQL",
    "DQN",
    "DreamerV3",
    "IMPALA",
    "IQL",
    "MARWIL",
    "PPO",
    "SAC",
    "TQC",
]


def job(algorithm, **more):
    return {
        "name": "stock",
        "env": {"id": "Pendulum-v1", "num_envs": 1},
        "algorithm": algorithm,
        "stop": {"env_steps": 1000},
    } | more


def mistakes(algorithm, **more):
    with pytest.raises(UserError) as error:
        check_job(job(algorithm, **more))
    return str(error.value).splitlines()


@pytest.mark.parametrize("name", INSTALLED)
def test_every_installed_algorithm_is_found_by_its_name(name):
    kind = config_class(name)
    assert kind.__name__ == f"{name}Config"
    assert settings_of(kind)["gamma"] == "training"
    assert settings_of(kind)["model_config"] == "rl_module"


def test_an_unknown_algorithm_lists_those_installed():
    assert mistakes("rllib/Sac") == [
        "algorithm.name: the installed RLlib has no 'Sac'; did you mean SAC? (it has "
        f"{', '.join(INSTALLED)})"
    ]


def test_every_wrong_setting_is_reported_with_the_nearest_name():
    found = mistakes(
        {
            "name": "rllib/SAC",
            "gama": 0.99,
            "training": {"taau": 0.1},
            "num_env_runners": 2,
            "target_entropy": "auto",
            "grad_clip": 1.0,
            "actor_lr": "fast",
        }
    )
    assert found == [
        "algorithm.gama: SACConfig has no such setting; did you mean gamma?",
        "algorithm.training.taau: SACConfig has no such setting; did you mean tau?",
        "algorithm.num_env_runners: belongs to resources.num_env_runners",
        "algorithm.actor_lr: must be a number, got 'fast'",
    ]


def test_a_setting_that_is_like_none_lists_those_of_training():
    [found] = mistakes({"name": "rllib/BC", "xyzzy": 1})
    assert found.startswith("algorithm.xyzzy: BCConfig has no such setting (settings of training: ")


def test_flat_and_grouped_settings_come_back_from_the_resolved_job():
    from ruamel.yaml import YAML

    flat = check_job(job({"name": "rllib/SAC", "tau": 0.01, "training": {"gamma": 0.9}}))
    again = check_job(YAML(typ="safe").load(write_job(flat)))
    assert again == flat
    assert again.algorithm.settings == {"tau": 0.01, "training": {"gamma": 0.9}}


def test_the_settings_reach_the_config_of_rllib():
    from trivium.trainers.rl.rllib.config import make_config

    checked = check_job(
        job(
            {
                "name": "rllib/SAC",
                "tau": 0.01,
                "training": {"gamma": 0.9, "train_batch_size_per_learner": 32},
                "model_config": {"fcnet_hiddens": [8]},
            },
            seed=5,
        )
    )
    config = make_config(checked)
    assert (config.tau, config.gamma, config.train_batch_size_per_learner) == (0.01, 0.9, 32)
    assert config.model_config["fcnet_hiddens"] == [8]
    assert (config.seed, config.num_env_runners, config.num_learners) == (5, 0, 0)


def test_what_rllib_itself_refuses_is_told_in_its_own_words():
    from trivium.trainers.rl.rllib.config import make_config

    checked = check_job(
        job(
            {
                "name": "rllib/PPO",
                "minibatch_size": 500,
                "num_epochs": 1,
                "train_batch_size_per_learner": 100,
            }
        )
    )
    with pytest.raises(UserError) as error:
        make_config(checked)
    assert str(error.value).startswith("algorithm: RLlib refuses it: `minibatch_size` (500) must")


def test_agents_share_a_policy_have_one_each_or_are_mapped():
    agents = ["a", "b", "c"]
    assert policies_of(agents, "shared") == {"a": "shared", "b": "shared", "c": "shared"}
    assert policies_of(agents, "per_agent") == {"a": "a", "b": "b", "c": "c"}
    mapped = {"a": "one", "b": "two", "c": "one"}
    assert policies_of(agents, mapped) == mapped


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"agent_1": "x", "agent2": "x"},
            "algorithm.policy_mapping.agent2: no such agent; did you mean agent_2? (agents: "
            "agent_1, agent_2)",
        ),
        ({"agent_1": "x"}, "algorithm.policy_mapping: has no policy for agent_2"),
    ],
)
def test_a_mapping_must_fit_the_agents(mapping, message):
    with pytest.raises(UserError) as error:
        policies_of(["agent_1", "agent_2"], mapping)
    assert str(error.value) == message
