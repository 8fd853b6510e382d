"""Saved training state: tensors, numbers, texts, lists and mappings, read without running code.

A pickle is a program; who loads it runs it. torch's restricted reader takes plain data only, and
what it refuses is refused here with an explanation. `--allow-pickle` lets one command take it.
"""

import pickle
import re
from pathlib import Path
from typing import Any

from trivium.platform.errors import RunFailed, UserError

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)|global (?:function )?'?([\w.]+\.\w+)")
_is_allowed = False


def allow_pickles() -> None:
    """From now on this process loads pickled state, which runs the code that is in it."""
    global _is_allowed
    _is_allowed = True


def are_pickles_allowed() -> bool:
    """Whether `allow_pickles` was called; workers are told by their driver."""
    return _is_allowed


def read_state(file: Path) -> dict[str, Any]:
    """The content of a `state.pt`.

    Raises:
        UserError: it holds more than plain data and pickles are not allowed.
        RunFailed: it is no state file at all.
    """
    import torch

    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_allowed:
            raise UserError(_refusal(file, str(error))) from None
        state = torch.load(file, map_location="cpu", weights_only=False)
    except (RuntimeError, EOFError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise RunFailed(f"{file}: is no saved state: {first or type(error).__name__}") from None
    return state


def _refusal(file: Path, reason: str) -> str:
    match = _GLOBAL.search(reason)
    named = next((g for g in match.groups() if g), "") if match else ""
    wants = f" (it names {named})" if named else ""
    return (
        f"{file}: holds pickled objects{wants}, and loading those runs whatever code is in them. "
        f"Trivium writes plain data only, so this file was made or changed by something else. If "
        f"you trust whoever wrote it, the same command with --allow-pickle loads it"
    )
