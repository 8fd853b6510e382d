"""`trivium ui SWEEP`."""

from typing import Annotated

import typer

from trivium.platform.commands.options import RunName, StorePath

Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Where it is served.")]


Host = Annotated[
    str, typer.Option("--host", help="Address to bind to; another one opens it to other machines.")
]


def command(
    run: RunName = "last", port: Port = 8080, host: Host = "127.0.0.1", store: StorePath = None
) -> None:
    """Serve optuna-dashboard on the study of a sweep, also while the sweep runs."""
    from trivium.platform.registry import load_text
    from trivium.platform.store import Store

    load_text("trivium.tuning.dashboard:serve")(Store(store).find(run), port, host)
