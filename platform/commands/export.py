"""`trivium export RUN`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, RunName, StorePath

To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FOLDER", help="Default: the run's export/."),
]


def command(
    run: RunName = "last", to: To = None, store: StorePath = None, as_json: AsJson = False
) -> None:
    """Weights as safetensors and an ONNX model, compared with the original on real rows."""
    from trivium.platform.console import Console
    from trivium.platform.errors import UserError
    from trivium.platform.remote.kept import added
    from trivium.platform.runner import make_algorithm
    from trivium.platform.store import Store

    found = Store(store).find(run)
    if found.children():
        ids = ", ".join(c.id for c in found.children())
        combined = f", or what `trivium ensemble {found.id}` makes of them"
        may_combine = "dataset" in found.job_file.data
        raise UserError(
            f"{found.id} is several runs; export one of them: {ids}{combined * may_combine}"
        )
    folder = to or found.path / "export"
    written = make_algorithm(found.job()).export(found, folder)
    added(folder)
    if as_json:
        sys.stdout.write(json.dumps({what: str(path) for what, path in written}) + "\n")
        return
    console = Console()
    console.heading(f"{found.id}: exported")
    for what, path in written:
        console.say(f"{path}\n    {what}")
