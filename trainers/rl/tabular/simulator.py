"""Which copies a tabular job steps: the compiled simulator where it applies, else the real ones."""

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.wrappers import is_batch_wrapper, time_limit_of
from trivium.trainers.rl.tabular.envs import StateEnvs, TableEnvs
from trivium.trainers.rl.tabular.states import States, count_actions
from trivium.trainers.rl.tabular.toy_text import Dynamics, ToyText, dynamics_of


def open_space(settings: EnvSettings) -> tuple[States, int]:
    """The rows of the table, and how many actions it has.

    Raises:
        UserError: observations or actions that a table cannot hold.
    """
    env = make_one(settings)
    try:
        states = States(env.observation_space, settings.id)
        return states, count_actions(env.action_space, states.num_states, settings.id)
    finally:
        env.close()


def find_dynamics(settings: EnvSettings) -> tuple[Dynamics, int | None] | None:
    """Dynamics and time limit of a toy-text environment that nothing wraps, else None."""
    if ":" in settings.id or not all(map(is_batch_wrapper, settings.wrappers)):
        return None
    env = make_one(settings)
    try:
        dynamics = dynamics_of(env)
        own_limit = env.spec.max_episode_steps if env.spec is not None else None
    finally:
        env.close()
    return None if dynamics is None else (dynamics, time_limit_of(settings) or own_limit)


def make_envs(settings: EnvSettings, states: States, seed: int) -> StateEnvs:
    """The copies that learning steps."""
    found = find_dynamics(settings)
    if found is None:
        return TableEnvs(settings, states, seed)
    dynamics, limit = found
    return ToyText(dynamics, settings.num_envs, limit, seed)


def describe_simulator(settings: EnvSettings) -> str:
    """A sentence on how the copies are stepped, for `check`."""
    try:
        found = find_dynamics(settings)
    except UserError:
        return "the environment itself"
    if found is None:
        return "the environment itself"
    return (
        f"{settings.num_envs} copies at once by the environment's own transition table, compiled; "
        f"the learner sees samples only, and evaluation plays the environment itself"
    )
