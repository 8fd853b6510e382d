"""optuna-dashboard on a sweep's study: it reads the storage, so it shows a sweep while it runs."""

from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder
from trivium.tuning.plan import read_plan
from trivium.tuning.study import open_storage


def serve(run: RunFolder, port: int) -> None:
    """Serve until Ctrl-C, on this machine only.

    Raises:
        UserError: the run is no sweep, the dashboard is not installed, or the port is taken.
    """
    storage = open_storage(run, read_plan(run).settings.storage)
    try:
        from optuna_dashboard import run_server
    except ModuleNotFoundError:
        raise UserError("optuna-dashboard is not installed: pip install 'trivium[tune]'") from None
    print(f"{run.id}: http://127.0.0.1:{port}/  (Ctrl-C ends it)", flush=True)
    try:
        run_server(storage, host="127.0.0.1", port=port)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; give another one") from None
