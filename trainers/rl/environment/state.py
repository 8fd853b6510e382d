"""The state of a vector environment as plain data, for checkpoints that unpickle no code.

Copies of scalar environments replay their current episodes (`copies.py`). A native vector version
is captured by its attributes: arrays, numbers, text and random generators. Whether that is all of
its state is not known but tried: `capture` says no when it meets an attribute of another kind that
a step may change, and whoever restores compares what can be compared.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = (bool, int, float, str, type(None), np.number, np.bool_)
_DRAWING = ("render_mode", "screens", "screen", "surf", "clock", "renderer")
_SPACES = ("observation_space", "action_space", "single_observation_space", "single_action_space")
_FIXED = frozenset(("spec", "metadata", *_DRAWING, *_SPACES))


def capture(env: Any) -> dict[str, Any] | None:
    """The state of `env` as plain data, None when it cannot be had."""
    if hasattr(env, "get_state"):
        state: dict[str, Any] = env.get_state()
        return state
    try:
        return _attributes(env.unwrapped)
    except TypeError:
        return None


def restore(env: Any, state: dict[str, Any]) -> NDArray[Any] | None:
    """Bring `env` to `state`; the batch of observations then, None when it cannot tell them."""
    if hasattr(env, "set_state"):
        batch: NDArray[Any] = env.set_state(state)
        return batch
    target = env.unwrapped
    for name, value in state.items():
        _assign(target, name, value)
    return None


def _attributes(owner: Any) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name, value in vars(owner).items()
        if name not in _FIXED and not callable(value)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return {"__generator__": value.bit_generator.state}
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            raise TypeError("an array of objects")
        return value.copy()
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple | list):
        return type(value)(_plain(v) for v in value) if type(value) in (tuple, list) else None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    import enum

    if isinstance(value, enum.Enum):
        return {"__fixed__": True}
    raise TypeError(f"a {type(value).__name__}")


def _assign(target: Any, name: str, value: Any) -> None:
    if isinstance(value, dict) and "__generator__" in value:
        getattr(target, name).bit_generator.state = value["__generator__"]
    elif isinstance(value, dict) and "__fixed__" in value:
        return
    elif isinstance(value, np.ndarray):
        setattr(target, name, value.copy())
    else:
        setattr(target, name, value)
