"""Making environments from their settings, with a message for whatever is missing or misspelt."""

import importlib.util
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trivium.platform.errors import UserError, nearest
from trivium.platform.registry import load_text
from trivium.platform.settings import build
from trivium.trainers.rl.environment import off_screen
from trivium.trainers.rl.environment.settings import WRAPPERS, EnvSettings
from trivium.trainers.rl.environment.wrappers import is_batch_wrapper, time_limit_of

if TYPE_CHECKING:
    import gymnasium

EXTRA = 'pip install "trivium[rl-envs]"'
OPTIONAL = {  # module that an environment's code imports -> the package that has it
    "Box2D": "box2d",
    "mujoco": "mujoco",
    "minigrid": "minigrid",
    "pygame": "pygame-ce",
}


def make_one(settings: EnvSettings, render: bool = False) -> "gymnasium.Env[Any, Any]":
    """One environment with its wrappers; `render` makes it give pictures as rgb_array.

    Raises:
        UserError: unknown id, missing package, or a constructor that fails.
    """
    make = _own_class(settings) if ":" in settings.id else _registered(settings)
    arguments = settings.kwargs
    if render:
        arguments = arguments | {"render_mode": "rgb_array"}
        off_screen.prepare()
    env = _guarded(make, arguments, settings)
    if render:
        off_screen.demand_drawable(env, settings.id)
    return wrap(env, settings)


def wrap(env: "gymnasium.Env[Any, Any]", settings: EnvSettings) -> "gymnasium.Env[Any, Any]":
    """`env` inside those wrappers of `settings` that act on one environment."""
    for index, wrapper in enumerate(settings.wrappers):
        if not is_batch_wrapper(wrapper):
            try:
                env = build(wrapper, WRAPPERS, {"env": env})
            except UserError as error:
                raise error.under(f"env.wrappers.{index}") from None
    return env


def make_many(settings: EnvSettings, num_envs: int) -> "gymnasium.vector.VectorEnv[Any, Any, Any]":
    """`num_envs` copies: the environment's own vector version when it has one and nothing wraps
    single environments, else Gymnasium's synchronous vector environment, resetting in the same
    step.

    Raises:
        UserError: as `make_one`.
    """
    if has_native_vector(settings):
        import gymnasium

        limit = time_limit_of(settings)
        arguments = settings.kwargs | ({"max_episode_steps": limit} if limit else {})

        def make(**kwargs: Any) -> Any:
            return gymnasium.make_vec(
                settings.id, num_envs, vectorization_mode="vector_entry_point", **kwargs
            )

        return _guarded(make, arguments, settings)
    from trivium.trainers.rl.environment.copies import Copies

    made: gymnasium.vector.VectorEnv[Any, Any, Any] = Copies(
        [lambda: make_one(settings)] * num_envs
    )
    return made


def has_native_vector(settings: EnvSettings) -> bool:
    """Whether the environment steps all its copies itself."""
    if ":" in settings.id or not all(map(is_batch_wrapper, settings.wrappers)):
        return False
    spec = _spec(settings.id)
    return spec.vector_entry_point is not None and not spec.additional_wrappers


def step_limit(settings: EnvSettings) -> int | None:
    """Steps after which episodes are truncated, None when nothing truncates them."""
    import gymnasium

    if has_native_vector(settings):
        limit: int | None = time_limit_of(settings) or _spec(settings.id).max_episode_steps
        return limit
    env = outer = make_one(settings)
    try:
        while isinstance(env, gymnasium.Wrapper):
            if isinstance(env, gymnasium.wrappers.TimeLimit):
                return int(env._max_episode_steps)
            env = env.env
        # Environments that count by themselves: ours by the first name, MiniGrid's by the other.
        own = getattr(env, "max_episode_steps", getattr(env, "max_steps", None))
        return own if isinstance(own, int) else None
    finally:
        outer.close()


def reward_threshold(settings: EnvSettings) -> float | None:
    """The mean return at which Gymnasium calls the environment solved, where it says one."""
    return None if ":" in settings.id else _spec(settings.id).reward_threshold


def _registered(settings: EnvSettings) -> Callable[..., Any]:
    import gymnasium

    spec = _spec(settings.id)
    limit = time_limit_of(settings)
    more = {"max_episode_steps": limit} if limit else {}

    def make(**kwargs: Any) -> Any:
        return gymnasium.make(spec, disable_env_checker=True, **more, **kwargs)

    return make


def _spec(name: str) -> Any:
    import gymnasium

    from trivium.envs.registry import register_all

    register_all()
    if name.startswith("MiniGrid-") or name.startswith("BabyAI-"):
        _require("minigrid", name)
        importlib.import_module("minigrid")
    try:
        return gymnasium.spec(name)
    except gymnasium.error.Error:
        known = list(gymnasium.registry)
        raise UserError.at("env.id", f"unknown environment {name!r}{_hint(name, known)}") from None


def _hint(name: str, known: list[str]) -> str:
    base, dash, _ = name.rpartition("-v")
    versions = sorted(k for k in known if dash and k.rpartition("-v")[0] == base)
    if versions:
        return f"; this Gymnasium has {', '.join(versions)}"
    hint = nearest(name, known)
    if not hint:  # the wrong case or a missing version costs most of the likeness
        plain = {k.rpartition("-v")[0].lower(): k for k in known}
        hint = nearest((base or name).lower(), plain)
        for low, original in plain.items():
            hint = hint.replace(f" {low}?", f" {original}?")
    return hint or " (a Gymnasium id such as CartPole-v1, or your own class as my_env.py:MyEnv)"


def _own_class(settings: EnvSettings) -> Callable[..., Any]:
    import gymnasium

    try:
        kind = load_text(settings.id)
    except UserError as error:
        raise error.under("env.id") from None
    if not callable(kind):
        raise UserError.at("env.id", f"{settings.id} is not a class or function")
    limit = time_limit_of(settings)

    def make(**kwargs: Any) -> Any:
        env = kind(**kwargs)
        if not isinstance(env, gymnasium.Env):
            raise UserError.at(
                "env.id",
                f"{settings.id} makes a {type(env).__name__}; it must be a gymnasium.Env "
                f"(class {kind.__name__}(gymnasium.Env): ...)",
            )
        return gymnasium.wrappers.TimeLimit(env, limit) if limit else env

    make.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    return make


def _guarded(make: Callable[..., Any], arguments: dict[str, Any], settings: EnvSettings) -> Any:
    import gymnasium

    try:
        return make(**arguments)
    except UserError:
        raise
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        for module in OPTIONAL:
            if module.lower() in str(error).lower():
                _require(module, settings.id, error)
        raise UserError.at("env.id", f"{settings.id} cannot be made: {error}") from None
    except TypeError as error:
        if not _is_refusal(error):
            raise UserError.at(
                "env.id", f"{settings.id} fails when it is made: TypeError: {error}"
            ) from error
        reason = str(error).split(" was raised from the environment creator")[0]
        raise UserError.at(
            "env.kwargs", f"{settings.id} does not take these arguments: {reason}"
        ) from error
    except Exception as error:
        raise UserError.at(
            "env.id", f"{settings.id} fails when it is made: {type(error).__name__}: {error}"
        ) from error


def _is_refusal(error: TypeError) -> bool:
    """Whether a constructor does not take its arguments; others fail inside of it."""
    words = ("unexpected keyword argument", "required positional argument", "required keyword-only")
    return any(w in str(error) for w in (*words, "multiple values for argument"))


def _require(module: str, name: str, error: Exception | None = None) -> None:
    if error is not None or importlib.util.find_spec(module) is None:
        raise UserError.at(
            "env.id", f"{name} needs the package {OPTIONAL[module]}, which is absent: {EXTRA}"
        ) from None
