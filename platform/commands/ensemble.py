"""`trivium ensemble SWEEP`."""

import json
import sys
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, StorePath, Verbose

Run = Annotated[
    str,
    typer.Argument(metavar="SWEEP", help="A sweep, or a run over seeds or folds."),
]
Top = Annotated[int, typer.Option("--top", min=2, help="How many of a sweep's best trials.")]
Method = Annotated[
    str, typer.Option("--method", help="voting, average, bagged, stacked, or best of these.")
]


def command(
    run: Run = "last",
    top: Top = 5,
    method: Method = "best",
    store: StorePath = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Combine the best trials; ends with the test score against that of the best single one."""
    from trivium.platform.registry import load_text
    from trivium.platform.runner import Screen, start
    from trivium.platform.store import Store

    runs, screen = Store(store), Screen(to_stderr=as_json, verbose=verbose)
    make = load_text("trivium.tuning.ensemble:ensemble_job")
    made = start(make(runs.find(run), top, method), runs, screen)
    screen.ending(made)
    if as_json:
        sys.stdout.write(json.dumps(made.result, ensure_ascii=False) + "\n")
