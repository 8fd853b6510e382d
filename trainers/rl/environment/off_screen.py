"""Drawing without a screen: what SDL and MuJoCo have to be told before they draw."""

import ctypes.util
import os
import sys
from functools import cache
from typing import Any

from trivium.platform.errors import UserError

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
"""MuJoCo's names of what it can draw with where there is no display, and the libraries' names."""


def prepare() -> None:
    """To be called before an environment that shall give pictures is made."""
    for kind in ("VIDEO", "AUDIO"):  # off screen, and no complaints about sound cards
        os.environ.setdefault(f"SDL_{kind}DRIVER", "dummy")
    if not _has_display() and "MUJOCO_GL" not in os.environ and (found := _library()) is not None:
        # Left to itself MuJoCo tries a window first; a second try ends the whole process.
        os.environ["MUJOCO_GL"] = found


def demand_drawable(env: Any, id: str) -> None:
    """Raise UserError when `env` is of MuJoCo and nothing here can draw it."""
    from_mujoco = any("mujoco" in kind.__module__ for kind in type(env.unwrapped).__mro__)
    if from_mujoco and "MUJOCO_GL" not in os.environ and not _has_display():
        raise UserError.at(
            "env.id",
            f"{id} cannot be drawn here: without a display MuJoCo needs EGL or OSMesa, and this "
            "machine has neither (Debian: apt install libegl1 libgl1-mesa-dri)",
        )


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@cache
def _library() -> str | None:
    names = (name for name, file in _LIBRARIES.items() if ctypes.util.find_library(file))
    return next(names, None)
