"""optuna-dashboard on a sweep's study: it reads the storage, so it shows a sweep while it runs."""

import sys

from trivium.platform.errors import UserError
from trivium.platform.exposure import LOOPBACK, warning_of
from trivium.platform.remote.reading import followed
from trivium.platform.run import RunFolder
from trivium.tuning.plan import tune_settings
from trivium.tuning.storage import JOURNAL, open_storage


def serve(run: RunFolder, port: int, host: str = LOOPBACK) -> None:
    """Serve until Ctrl-C, on this machine only unless another host is named.

    Raises:
        UserError: the run is no sweep, the dashboard is not installed, or the port is taken.
    """
    storage = open_storage(run, tune_settings(run).storage)
    try:
        from optuna_dashboard import run_server
    except ModuleNotFoundError:
        raise UserError("optuna-dashboard is not installed: pip install 'trivium[tune]'") from None
    risk = "who reaches it can read this study, change it and delete it"
    warning = warning_of(host, "the dashboard", risk)
    if warning is not None:
        print(warning, file=sys.stderr)
    print(f"{run.id}: http://{host}:{port}/  (Ctrl-C ends it)", flush=True)
    try:
        with followed(run.path, [JOURNAL]):
            run_server(storage, host=host, port=port)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; give another one") from None
