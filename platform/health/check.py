"""The answer of one check of the doctor."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    """absent: an option that is not installed, which is fine until it is used."""
    sentence: str
    remedy: str = ""
    """What to do, empty when nothing is."""
