"""`trivium reproduce RUN`."""

import json
import math
import sys
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, RunName, StorePath, Verbose

Tolerance = Annotated[
    float, typer.Option(min=0, help="Largest difference that counts as equal (default: exact).")
]


def command(
    run: RunName = "last",
    tolerance: Tolerance = 0.0,
    store: StorePath = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run the resolved job of a finished run again and compare every score."""
    from trivium.platform.comparison import changed_versions
    from trivium.platform.errors import RunFailed, UserError
    from trivium.platform.runner import Screen, start
    from trivium.platform.store import Store

    runs = Store(store)
    first = runs.find(run)
    if first.status != "finished":
        raise UserError(f"{first.id} is {first.status}: only a finished run can be reproduced")
    screen = Screen(to_stderr=as_json, verbose=verbose)
    again = start(first.job(), runs, screen)
    before, now = first.result["metrics"], again.result["metrics"]
    rows = [(name, before[name], now.get(name, math.nan)) for name in before]
    apart = [r for r in rows if not abs(r[1] - r[2]) <= tolerance]
    if as_json:
        content = {"run": first.id, "again": again.id, "equal": not apart, "before": before}
        sys.stdout.write(json.dumps(content | {"now": now}, ensure_ascii=False) + "\n")
    else:
        console = screen.console()
        console.heading(f"{first.id} again as {again.id}")
        console.facts(
            [
                (n, f"{b:.6g} then, {a:.6g} now{'' if b == a else '  <- differs'}")
                for n, b, a in rows
            ]
        )
        console.say(f"\n{len(rows) - len(apart)} of {len(rows)} scores are equal")
    if apart:
        causes = changed_versions(first, again)
        because = f"; what differs around them: {', '.join(causes)}" if causes else ""
        raise RunFailed(
            f"{again.id} does not reproduce {first.id}: {', '.join(r[0] for r in apart)}{because}"
        )


def _compared(then: float, now: float) -> str:
    return f"{then:.6g} then, {now:.6g} now{'' if then == now else '  <- differs'}"
