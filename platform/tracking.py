"""Where a run is logged besides its own folder: TensorBoard always, Ray's metrics when it uses Ray,
MLflow when asked for.

The run folder is the truth; a tracker that fails takes nothing from it and does not end the run.
"""

import importlib.util
import os
from collections.abc import Sequence
from typing import Protocol

from trivium.platform.errors import UserError
from trivium.platform.job import Job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import Listener


class Tracker(Listener, Protocol):
    """A listener that is also told the end: `finish` is called after `close`, with all written."""

    def finish(self, run: RunFolder) -> None:
        """Status, result and report of `run` are on disk: pass them on."""


def trackers(run: RunFolder, job: Job) -> list[Tracker]:
    """The trackers of a run that is about to train; nothing heavy is imported yet.

    Raises:
        UserError: MLflow is asked for and cannot be used.
    """
    from trivium.platform.ray_tracker import RayTracker
    from trivium.platform.tensorboard_tracker import TensorBoardTracker

    made: list[Tracker] = [TensorBoardTracker(run, job), RayTracker(run, job)]
    uri = check_tracking(job)
    if uri is not None:
        from trivium.platform.mlflow_tracker import MlflowTracker

        made.append(MlflowTracker(run, job, uri))
    return made


def check_tracking(job: Job) -> str | None:
    """MLflow's URI when the job or the environment asks for it; to be called before a run is made.

    Raises:
        UserError: MLflow is not installed, or the URI is one that it no longer writes to.
    """
    uri = job.tracking.mlflow or os.environ.get("MLFLOW_TRACKING_URI") or None
    if uri is None:
        return None
    path = "tracking.mlflow" if job.tracking.mlflow else ""
    origin = "" if job.tracking.mlflow else "MLFLOW_TRACKING_URI="
    missing = [m for m in ("mlflow", "sqlalchemy", "alembic") if not _is_installed(m)]
    if missing:
        message = (
            f"{origin}{uri}: needs {' and '.join(missing)}, not installed here: "
            f'pip install "trivium[tracking]"'
        )
        raise UserError.at(path, message)
    if "://" not in uri or uri.startswith("file:"):
        message = (
            f"{origin}{uri}: MLflow no longer writes to a plain folder; "
            f"use a file of SQLite (sqlite:///mlflow.db) or a server (https://HOST)"
        )
        raise UserError.at(path, message)
    return uri


def finish_tracking(tracked: Sequence[Tracker], run: RunFolder) -> None:
    """Tell all trackers how the run ended."""
    for tracker in tracked:
        tracker.finish(run)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
