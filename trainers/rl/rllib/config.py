"""From a checked job to RLlib's config."""

import functools
import logging
from collections.abc import Mapping
from typing import Any

from trivium.platform.errors import UserError, nearest
from trivium.trainers.rl.environment.settings import EnvSettings
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
    register_env(NAME, functools.partial(_create, job.env))
    config = config_class(job.algorithm.algorithm)()
    by_group = check_settings(type(config), job.algorithm.settings)
    config.api_stack(enable_rl_module_and_learner=True, enable_env_runner_and_connector_v2=True)
    config.framework("torch")
    config.environment(env=NAME)
    config.env_runners(
        num_env_runners=job.resources.num_env_runners, num_envs_per_env_runner=job.env.num_envs
    )
    config.learners(num_learners=job.resources.num_learners)
    config.debugging(seed=job.seed, log_level="ERROR")
    if hasattr(config, "num_aggregator_actors_per_learner"):
        # Actors that join batches for learners elsewhere; here the learner joins them itself.
        config.learners(num_aggregator_actors_per_learner=0)
    _map_policies(config, job)
    try:
        for group in GROUPS:
            if group in by_group:
                getattr(config, group)(**by_group[group])
        _spaces(config, job)
        config.validate()
    except (ValueError, TypeError, AssertionError, KeyError) as error:
        raise UserError.at("algorithm", f"RLlib refuses it: {error}") from error
    return config


def needs_ray(config: Any) -> bool:
    """Whether the algorithm works through Ray actors or Ray Data."""
    return bool(
        config.num_env_runners
        or config.num_learners
        or getattr(config, "num_aggregator_actors_per_learner", 0)
        or config.is_offline
    )


def quiet() -> None:
    """Keep RLlib's notes on its own API, and Ray's on its set-up, from the terminal."""
    import warnings

    for name in ("ray.rllib", "ray.tune", "ray._common", "ray._private", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(ray|gymnasium)\.")


def _create(settings: EnvSettings, _context: Mapping[str, Any]) -> Any:
    return make_for_rllib(settings)


def _spaces(config: Any, job: RllibJob) -> None:
    """Offline algorithms make no environment of their own to read the spaces from."""
    if config.is_offline:
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
