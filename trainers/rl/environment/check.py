"""The environment checked before training, with a message that names each mistake.

Looks at spaces, reset, step, dtypes, bounds, ends of episodes and seeding by playing some random
steps in one environment. Left out: whether rewards make sense, and rendering.
"""

import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trivium.trainers.rl.environment.make import (
    has_native_vector,
    make_one,
    reward_threshold,
    step_limit,
)
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import actions_of, observations_of

if TYPE_CHECKING:
    from trivium.trainers.rl.job import RlJob

STEPS = 200


@dataclass
class Checked:
    """What is known of an environment after the check."""

    facts: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def check_environment(job: "RlJob") -> Checked:
    """Make one environment of `job`, look at its spaces and play it.

    Raises:
        UserError: it cannot be made.
    """
    env = make_one(job.env)
    try:
        problems = _problems(env) or _seed_problems(job.env)
        warnings = [] if problems else _warnings(job, env)
    finally:
        env.close()
    how = "its own vector version" if has_native_vector(job.env) else "one after the other"
    runners = job.resources.num_env_runners
    where = f" in each of {runners} env runners" if runners else ""
    facts = [
        ("environment", f"{job.env.id}, {job.env.num_envs} copies{where} ({how})"),
        ("observations", _shown(env.observation_space)),
        ("actions", str(env.action_space)),
    ]
    threshold = reward_threshold(job.env)
    if threshold is not None:
        facts.append(("solved at", f"a mean return of {threshold:g}"))
    located = tuple(f"env.id: {job.env.id}: {problem}" for problem in problems)
    return Checked(tuple(facts), located, tuple(warnings))


def _shown(space: Any) -> str:
    """The space, or its kind and shape where its numbers would fill the screen."""
    text = str(space)
    return text if len(text) <= 240 else f"{type(space).__name__} of shape {space.shape}"


def _problems(env: Any) -> list[str]:
    problems = _space_problems(env)
    if problems:
        return problems
    try:
        first = env.reset(seed=1, options=None)
    except Exception as error:
        if not _takes(env.unwrapped.reset, seed=1, options=None):
            return [f"reset() must be reset(self, *, seed=None, options=None): {error}"]
        return [f"reset() fails: {type(error).__name__}: {error}"]
    if not (isinstance(first, tuple) and len(first) == 2 and isinstance(first[1], dict)):
        return [
            f"reset() must return (observation, info) with info a dict; it returns {_kind(first)}"
        ]
    problems = _observation_problems(env, first[0], "reset()")
    return problems or _step_problems(env)


def _ends(env: Any) -> bool:
    """Whether one of some random steps ended an episode."""
    env.reset(seed=1, options=None)
    env.action_space.seed(1)
    ends = (env.step(env.action_space.sample())[2:4] for _ in range(STEPS))
    return any(terminated or truncated for terminated, truncated in ends)


def _takes(function: Any, **arguments: Any) -> bool:
    """Whether the function has these parameters; a TypeError may also come from inside it."""
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError:
        return False
    return True


def _space_problems(env: Any) -> list[str]:
    import gymnasium

    problems = []
    for name in ("observation_space", "action_space"):
        space = getattr(env, name, None)
        if not isinstance(space, gymnasium.Space):
            problems.append(
                f"{name} must be a gymnasium.Space set in __init__; it is {_kind(space)}"
            )
    if problems:
        return problems
    for name, reader in (("observation_space", observations_of), ("action_space", actions_of)):
        try:
            reader(getattr(env, name))
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return problems


def _observation_problems(env: Any, observation: Any, source: str) -> list[str]:
    space = env.observation_space
    # Box accepts a list with a warning at every step; an array is what the space promises.
    if not isinstance(observation, list) and space.contains(observation):
        return []
    reason = _why(space, observation)
    return [f"{source} gives an observation that is not in observation_space: {reason}"]


def _why(space: Any, observation: Any) -> str:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict) and isinstance(observation, dict):
        for key, part in space.spaces.items():
            if key not in observation:
                return f"the key {key!r} is missing"
            if not part.contains(observation[key]):
                return f"{key}: {_why(part, observation[key])}"
        return f"unknown key {sorted(set(observation) - set(space.spaces))[0]!r}"
    if not isinstance(space, spaces.Box):
        return f"{observation!r} is not in {space}"
    if not isinstance(observation, np.ndarray):
        return f"it must be a NumPy array of shape {space.shape}; it is {_kind(observation)}"
    if observation.shape != space.shape:
        return f"its shape is {observation.shape}, the space's {space.shape}"
    if not np.can_cast(observation.dtype, space.dtype):
        return f"its dtype is {observation.dtype}, the space's {space.dtype}"
    if np.isnan(observation).any():
        return "it holds NaN"
    index = np.argwhere((observation < space.low) | (observation > space.high))[0]
    place = tuple(int(i) for i in index)
    return (
        f"value {observation[place]:g} at {list(place)} is outside "
        f"[{space.low[place]:g}, {space.high[place]:g}]"
    )


def _step_problems(env: Any) -> list[str]:
    env.action_space.seed(1)
    for _ in range(STEPS):
        try:
            result = env.step(env.action_space.sample())
        except Exception as error:
            return [f"step() fails: {type(error).__name__}: {error}"]
        problems = _result_problems(env, result)
        if problems:
            return problems
        if result[2] or result[3]:
            env.reset()
    return []


def _result_problems(env: Any, result: Any) -> list[str]:
    if not (isinstance(result, tuple) and len(result) == 5):
        return [
            f"step() must return (observation, reward, terminated, truncated, info); it returns "
            f"{_kind(result)}"
        ]
    observation, reward, terminated, truncated, info = result
    problems = _observation_problems(env, observation, "step()")
    if not isinstance(reward, int | float | np.number) or isinstance(reward, bool):
        problems.append(f"step(): reward must be a number; it is {_kind(reward)}")
    elif not math.isfinite(float(reward)):
        problems.append(f"step(): reward is {float(reward)}; it must be finite")
    for name, value in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(value, bool | np.bool_):
            problems.append(f"step(): {name} must be True or False; it is {_kind(value)}")
    if not isinstance(info, dict):
        problems.append(f"step(): info must be a dict; it is {_kind(info)}")
    return problems


def _seed_problems(settings: EnvSettings) -> list[str]:
    """Two new environments: BipedalWalker's physics carries contacts over a reset of one."""
    traces = [_trace(make_one(settings)) for _ in range(2)]
    for step, (one, two) in enumerate(zip(*traces, strict=False)):
        if not _same(one, two):
            what = "reset(seed=7)" if step == 0 else f"step {step} after reset(seed=7)"
            return [
                f"{what} differs between two runs with the same actions: draw random numbers from "
                f"self.np_random, which super().reset(seed=seed) seeds"
            ]
    return []


def _trace(env: Any) -> list[Any]:
    env.action_space.seed(7)
    trace = [env.reset(seed=7)[0]]
    for _ in range(20):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        trace.append((observation, float(reward), bool(terminated)))
        if terminated or truncated:
            trace.append(env.reset()[0])
    env.close()
    return [_frozen(t) for t in trace]


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {k: _frozen(v) for k, v in value.items()}
    return tuple(_frozen(v) for v in value) if isinstance(value, tuple) else value


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return set(one) == set(two) and all(_same(one[k], two[k]) for k in one)
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)


def _warnings(job: "RlJob", env: Any) -> list[str]:
    if step_limit(job.env) is not None:
        return []
    if _ends(env):
        return [
            f"{job.env.id} has no limit on an episode's length: unless every policy ends its "
            f"episodes, give env.max_episode_steps"
        ]
    return [
        f"{job.env.id} ended no episode in {STEPS} random steps and has no limit on their length: "
        f"give env.max_episode_steps, or an evaluation takes up to evaluation.max_steps for each"
    ]


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"{value!r} ({type(value).__name__})"[:80]
