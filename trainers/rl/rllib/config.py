"""From a checked job to RLlib's config."""

import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.platform.errors import UserError, nearest
from trivium.platform.registry import look_in
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.episode_file import find_episode_files
from trivium.trainers.rl.rllib.catalog import GROUPS, check_settings, config_class
from trivium.trainers.rl.rllib.environment import (
    NAME,
    agents_of,
    is_multi_agent,
    make_for_rllib,
)
from trivium.trainers.rl.rllib.settings import RllibJob


def make_config(job: RllibJob) -> Any:
    """RLlib's config of `job`, on the new API stack, checked by RLlib itself.

    Raises:
        UserError: RLlib refuses the settings; its own words are kept.
    """
    from ray.tune.registry import register_env

    quiet()
    register_env(NAME, functools.partial(_create, job.env, job.base))
    config = config_class(job.algorithm.algorithm)()
    by_group = check_settings(type(config), job.algorithm.settings)
    if job.algorithm.algorithm == "CQL":  # of these defaults its own validation refuses both
        config.training(lr=None, replay_buffer_config={"type": "EpisodeReplayBuffer"})
    # An iteration by the clock, or by a counter that starts anew, would differ from run to run.
    config.reporting(min_time_s_per_iteration=None, min_train_timesteps_per_iteration=0)
    config.api_stack(enable_rl_module_and_learner=True, enable_env_runner_and_connector_v2=True)
    config.framework("torch")
    config.environment(env=NAME)
    config.env_runners(
        num_env_runners=job.resources.num_env_runners, num_envs_per_env_runner=job.env.num_envs
    )
    config.learners(
        num_learners=job.resources.num_learners, num_gpus_per_learner=int(_has_gpu(job))
    )
    config.debugging(seed=job.seed, log_level="ERROR")
    if hasattr(config, "num_aggregator_actors_per_learner"):
        # Actors that join batches for learners elsewhere; here the learner joins them itself.
        config.learners(num_aggregator_actors_per_learner=0)
    _map_policies(config, job)
    try:
        for group in GROUPS:
            if group in by_group:
                getattr(config, group)(**by_group[group])
        if job.algorithm.is_offline:
            _learn_offline(config, job)
        config.validate()
    except (ValueError, TypeError, AssertionError, KeyError) as error:
        raise UserError.at("algorithm", f"RLlib refuses it: {error}") from error
    return config


def _has_gpu(job: RllibJob) -> bool:
    """RLlib learns on the CPU unless it is told otherwise."""
    import torch

    return job.resources.gpus_per_worker != 0 and torch.cuda.is_available()


def needs_ray(config: Any) -> bool:
    """Whether the algorithm works through Ray actors."""
    return bool(
        config.num_env_runners
        or config.num_learners
        or getattr(config, "num_aggregator_actors_per_learner", 0)
    )


def quiet() -> None:
    """Keep RLlib's notes on its own API, and Ray's on its set-up, from the terminal."""
    import warnings

    for name in ("ray.rllib", "ray.tune", "ray._common", "ray._private", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(ray|gymnasium)\.")


def _create(settings: EnvSettings, base: Path, context: Mapping[str, Any]) -> Any:
    look_in(base)  # in an actor nothing has read the job file
    return make_for_rllib(settings, render=bool(context.get("render")))


def _learn_offline(config: Any, job: RllibJob) -> None:
    """Its episodes, and the spaces, which RLlib cannot read from an environment that it has not."""
    from trivium.trainers.rl.rllib.offline import offline_config

    assert job.algorithm.episodes is not None
    files = find_episode_files(job.algorithm.episodes, job.base)
    offline_config(config, job.algorithm.algorithm, files, job.env)
    env = make_for_rllib(job.env)
    config.environment(observation_space=env.observation_space, action_space=env.action_space)
    env.close()


def _map_policies(config: Any, job: RllibJob) -> None:
    env = make_for_rllib(job.env)
    try:
        mapping = job.algorithm.policy_mapping
        if not is_multi_agent(env):
            if mapping != "shared":
                raise UserError.at(
                    "algorithm.policy_mapping",
                    f"{job.env.id} has one agent; only a MultiAgentEnv of RLlib has policies to "
                    f"map",
                )
            return
        agents = agents_of(env)
    finally:
        env.close()
    policy_of = policies_of(agents, mapping)
    config.multi_agent(
        policies=sorted(set(policy_of.values())),
        policy_mapping_fn=functools.partial(_policy_of, policy_of),
    )


def policies_of(agents: list[str], mapping: str | Mapping[str, str]) -> dict[str, str]:
    """The policy of each agent.

    Raises:
        UserError: the mapping names an agent that there is not, or leaves one out.
    """
    if mapping == "shared":
        return dict.fromkeys(agents, "shared")
    if mapping == "per_agent":
        return {agent: agent for agent in agents}
    assert isinstance(mapping, Mapping)
    for agent in mapping:
        if agent not in agents:
            raise UserError.at(
                f"algorithm.policy_mapping.{agent}",
                f"no such agent{nearest(agent, agents)} (agents: {', '.join(agents)})",
            )
    left = [agent for agent in agents if agent not in mapping]
    if left:
        raise UserError.at("algorithm.policy_mapping", f"has no policy for {', '.join(left)}")
    return dict(mapping)


def _policy_of(policies: Mapping[str, str], agent_id: Any, *_: Any, **__: Any) -> str:
    return policies[str(agent_id)]
