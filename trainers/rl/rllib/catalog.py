"""The algorithms of the installed RLlib, and which settings each of them takes.

RLlib writes an algorithm's settings as keyword arguments of its config's methods, such as
`training(lr=...)` or `env_runners(rollout_fragment_length=...)`. Their names are unique, so a job
file gives them beside each other; the method's name may group them.
"""

import importlib
import inspect
import pkgutil
from typing import Any

from trivium.platform.errors import Mistake, UserError, nearest

GROUPS = (
    "training",
    "env_runners",
    "learners",
    "rl_module",
    "environment",
    "offline_data",
    "reporting",
    "fault_tolerance",
)
"""Methods of a config that a job file may set, in the order in which they are called."""

ELSEWHERE = {
    "env": "env.id",
    "env_config": "env.kwargs",
    "seed": "seed",
    "num_env_runners": "resources.num_env_runners",
    "num_envs_per_env_runner": "env.num_envs",
    "num_learners": "resources.num_learners",
    "policies": "algorithm.policy_mapping",
    "policy_mapping_fn": "algorithm.policy_mapping",
    "input_": "algorithm.episodes",
}
"""RLlib's names of what a job file says in a place of its own."""

OFFLINE = ("BC", "CQL", "IQL", "MARWIL")
"""Those that learn from recorded episodes instead of playing."""

_OFFLINE_DATA = {"dataset_num_iters_per_learner", "input_"}
"""Of RLlib's settings of offline data, those that take effect here: see rllib/offline.py."""

_HIDDEN = {"self", "kwargs", "env_runner_cls", "learner_class", "rl_module_spec"}


def config_class(name: str) -> Any:
    """The config class of the algorithm `NAME` in `rllib/NAME`.

    Raises:
        UserError: Ray's RLlib is not installed, or has no such algorithm; those it has are listed.
    """
    try:
        package = importlib.import_module("ray.rllib.algorithms")
    except ModuleNotFoundError as error:
        raise UserError(
            f"needs RLlib, and {error.name} is not installed: pip install 'trivium[rl]'"
        ) from None
    folders = [m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg]
    if name.lower() in folders:
        found = _config_in(name.lower())
        if found is not None and found[0] == name:
            return found[1]
    pairs = (_config_in(folder) for folder in sorted(folders))
    known = [pair[0] for pair in pairs if pair is not None]
    close = nearest(name, known) or nearest(name.lower(), [k.lower() for k in known])
    for own in known:
        close = close.replace(f" {own.lower()}?", f" {own}?")
    raise UserError(f"the installed RLlib has no {name!r}{close} (it has {', '.join(known)})")


def _config_in(folder: str) -> tuple[str, Any] | None:
    """(name, config class) of the algorithm in a folder of RLlib."""
    module = importlib.import_module(f"ray.rllib.algorithms.{folder}")
    for attribute, value in vars(module).items():
        name = attribute.removesuffix("Config")
        if name != attribute and name.lower() == folder and inspect.isclass(value):
            return name, value
    return None


def settings_of(config: Any) -> dict[str, str]:
    """Each setting that the config class takes, and the method that sets it."""
    found: dict[str, str] = {}
    for group in GROUPS:
        for kind in inspect.getmro(config):
            method = vars(kind).get(group)
            if method is not None:
                for name in inspect.signature(method).parameters:
                    is_idle = group == "offline_data" and name not in _OFFLINE_DATA
                    if name not in _HIDDEN and not name.startswith("_") and not is_idle:
                        found.setdefault(name, group)
    return found


def check_settings(config: Any, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`given`, flat or grouped, by the config's methods.

    Raises:
        UserError: every setting that the algorithm does not take, or that has a place of its own.
    """
    known = settings_of(config)
    defaults = config()
    by_group: dict[str, dict[str, Any]] = {}
    mistakes: list[Mistake] = []
    for path, name, value in _flat(given):
        if name in ELSEWHERE:
            mistakes.append(Mistake(path, f"belongs to {ELSEWHERE[name]}", key=True))
        elif name not in known:
            taken = [n for n in known if n not in ELSEWHERE]
            hint = nearest(name, [*taken, *GROUPS])
            more = "" if hint else f" (settings of training: {_names(known, 'training')})"
            text = f"{config.__name__} has no such setting{hint}{more}"
            mistakes.append(Mistake(path, text, key=True))
        elif _is_wrong_kind(getattr(defaults, name, None), value):
            mistakes.append(Mistake(path, f"must be a number, got {value!r}"))
        else:
            by_group.setdefault(known[name], {})[name] = value
    if mistakes:
        raise UserError(*mistakes)
    return by_group


def _flat(given: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(path, name, value) of each setting."""
    rows = []
    for name, value in given.items():
        if name in GROUPS and isinstance(value, dict):
            rows += [(f"{name}.{inner}", inner, own) for inner, own in value.items()]
        else:
            rows.append((name, name, value))
    return rows


def _names(known: dict[str, str], group: str) -> str:
    return ", ".join(n for n, g in known.items() if g == group and n not in ELSEWHERE)


def _is_wrong_kind(default: Any, value: Any) -> bool:
    """RLlib takes any value; text for a number would fail only once training has begun."""
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    return is_number and isinstance(value, str) and value != "auto"
