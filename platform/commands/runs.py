"""`trivium runs`."""

import json
import sys
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, StorePath

Limit = Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def command(
    limit: Limit = 20, everything: All = False, store: StorePath = None, as_json: AsJson = False
) -> None:
    """The newest runs, a line each; a run over several seeds is one line."""
    from trivium.platform.exhibit_text import make_console
    from trivium.platform.listing import render_runs, run_infos
    from trivium.platform.run_rows import list_runs
    from trivium.platform.store import Store

    runs = Store(store)
    most = None if everything else limit
    if as_json:
        infos = run_infos(runs, None if most == 20 else most)  # a program wants all, unless told
        sys.stdout.write(json.dumps(infos, ensure_ascii=False) + "\n")
        return
    render_runs(list_runs(runs, most), make_console(), len(runs.runs()))
