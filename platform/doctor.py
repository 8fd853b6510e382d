"""`trivium doctor`: is this machine fit to train? Checks that import nothing heavy.

Versions are read from package metadata, so that a broken torch or Ray cannot break the doctor,
and the whole takes less than a second.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.health import machine, packages, place
from trivium.platform.health.check import Check

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"ok": "green", "absent": "dim", "warn": "yellow", "fail": "bold red"}


def examine(store: Path | str, cache: Path) -> list[Check]:
    """All checks; `store` holds the runs, `cache` the prepared data sets."""
    return [
        *packages.python(),
        *packages.torch_build(),
        *machine.cores_and_memory(),
        place.store(store),
        machine.folder("data cache", cache, "choose another with TRIVIUM_CACHE"),
        *machine.shared_memory(),
        *machine.threads(os.environ),
        *machine.ray_cluster(os.environ),
        *packages.extras(),
        *packages.data_sets(),
    ]


def has_failures(checks: Sequence[Check]) -> bool:
    """Something keeps jobs from running here."""
    return any(c.state == "fail" for c in checks)


def render_checks(checks: Sequence[Check], console: "Console") -> None:
    """Print the checks, what to do below each, and a verdict."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        text = Text(check.sentence, style="dim" if check.state == "absent" else "")
        if check.remedy:
            text.append(f"\n-> {check.remedy}", style=_STYLE[check.state])
        table.add_row(Text(check.state, style=_STYLE[check.state]), Text(check.name), text)
    console.print(table)
    console.print(Text("\n".join(_verdict(checks)), style="bold"))


def _verdict(checks: Sequence[Check]) -> Iterator[str]:
    failing = [c.name for c in checks if c.state == "fail"]
    warning = [c.name for c in checks if c.state == "warn"]
    if failing:
        yield f"\njobs cannot run here: {', '.join(failing)}"
    elif warning:
        yield f"\njobs run here; look at {', '.join(warning)}"
    else:
        yield "\nthis machine is ready"
