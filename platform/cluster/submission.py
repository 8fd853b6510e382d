"""A command of Trivium as a job of a Ray cluster: checked here, packed, sent, explained.

What goes there is the folder of the job file and this very Trivium, so that the driver and all
workers run the code that checked the job.
"""

import json
import os
import secrets
import shlex
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.platform.cluster.address import Submitted
from trivium.platform.cluster.capacity import Capacity
from trivium.platform.cluster.client import Cluster
from trivium.platform.cluster.demand import Demand
from trivium.platform.cluster.upload import Upload, size_text
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.job import JobFile
from trivium.platform.provenance import git_state
from trivium.platform.run import utc_now

STOP_WAIT_S = 60
"""How long a stopped job may take to save before Ray kills it; Ray's own 3 s lose a checkpoint."""
FROM = "trivium_from"
"""Key of the job's metadata that says where it was submitted from; read by provenance."""


@dataclass(frozen=True)
class Submission:
    """A command that is ready to go."""

    verb: str
    words: Sequence[str]
    """What follows `trivium` on the cluster."""
    name: str
    upload: Upload
    demand: Demand
    store: str
    base: Path
    """Folder of the job file, here."""

    @property
    def command(self) -> str:
        """As it runs there, and as it would be typed there."""
        return shlex.join(["trivium", *self.words])


def send(submission: Submission, cluster: Cluster, python: str) -> Submitted:
    """Upload and submit; returns at once, the job may have to wait.

    Raises:
        RunFailed: the cluster did not take it, with the size that was sent.
    """
    import trivium

    job_id = f"{submission.name}-{secrets.token_hex(3)}"
    metadata = {"job_submission_id": job_id, "job_name": submission.name, FROM: _origin(submission)}
    command = submission.demand.command
    with tempfile.TemporaryDirectory(prefix="trivium-upload-") as folder:
        package = Path(folder) / "working_dir.zip"
        submission.upload.pack(package)
        try:
            cluster.jobs.submit_job(
                submission_id=job_id,
                entrypoint=shlex.join([python, "-m", "trivium.platform.cli", *submission.words]),
                runtime_env={
                    "working_dir": str(package),
                    "py_modules": [next(iter(trivium.__path__))],
                    "env_vars": _environment(),
                },
                metadata=metadata,
                entrypoint_num_cpus=command.get("CPU"),
                entrypoint_num_gpus=command.get("GPU"),
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise RunFailed(
                f"{cluster.address} did not take the job "
                f"({size_text(package.stat().st_size)} packed): {_first_line(error)}"
            ) from None
    return Submitted(job_id, cluster.address, submission.command, submission.store, utc_now())


def choose_store(given: str | None, capacity: Capacity) -> str:
    """Where the run goes: what was typed, else the store here when the cluster is this machine.

    Raises:
        UserError: the cluster has other machines, which do not see this machine's folders.
    """
    text = given or os.environ.get("TRIVIUM_STORE")
    if text is not None and "://" in text:
        return text
    if is_here(capacity):
        return str(Path(text or "runs").resolve())
    if text is not None and Path(text).is_absolute():
        return text  # a disk that all nodes share; whoever writes it knows
    raise UserError(
        f"--store {text or 'runs'}: the cluster's machines do not see this folder; give a URI "
        f"(s3://BUCKET/runs, gs://...) or the absolute path of a disk that all of them share"
    )


def is_here(capacity: Capacity) -> bool:
    """All of the cluster's nodes are processes of this machine."""
    return capacity.hostnames == {socket.gethostname()}


def python_for(capacity: Capacity) -> str:
    """The interpreter of this environment when the cluster is here, else the image's."""
    return sys.executable if is_here(capacity) else "python"


def named_files(file: JobFile, folder: Path) -> list[Path]:
    """What of `folder` the job's settings name, be it a path, a glob or `file.py:Object`.

    Raises:
        UserError: the job names a file that the cluster would not find under this name.
    """
    found: list[Path] = [file.path]
    mistakes = []
    for setting, text in _texts(file.data):
        name = text.rpartition(":")[0] if ".py:" in text else text
        if not name or "://" in name or "\n" in name or len(name) > 1024:
            continue
        if Path(name).is_absolute():
            continue  # means the same on a shared disk; checked where it is read
        inside = [p for p in _glob(folder, name) if p.resolve().is_relative_to(folder.resolve())]
        if inside:
            found += inside
        elif (outside := _glob(folder, name) or _glob(Path.cwd(), name)) and _is_path(name):
            mistakes.append(
                f"{file.path}: {setting}: {name} is {outside[0].resolve()}, outside of "
                f"{folder}, which is what is uploaded; --working-dir FOLDER uploads another"
            )
    if mistakes:
        raise UserError(*mistakes)
    return found


def _is_path(name: str) -> bool:
    """`mnist` may be a registered name that some folder has too; `data/x.csv` is no name."""
    return "/" in name or "." in name


def _glob(folder: Path, name: str) -> list[Path]:
    try:
        if any(c in name for c in "*?["):
            return sorted(folder.glob(name))
        return [folder / name] if (folder / name).exists() else []
    except (OSError, ValueError, NotImplementedError):
        return []


def _texts(data: Any, path: str = "") -> list[tuple[str, str]]:
    """Every text in a job's data, with the dotted path of its setting."""
    if isinstance(data, str):
        return [(path, data)]
    if isinstance(data, Mapping):
        items = [(f"{path}.{key}" if path else str(key), value) for key, value in data.items()]
    elif isinstance(data, list | tuple):
        items = [(f"{path}.{number}", value) for number, value in enumerate(data)]
    else:
        return []
    return [text for name, value in items for text in _texts(value, name)]


def _environment() -> dict[str, str]:
    return {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S)}


def _origin(submission: Submission) -> str:
    origin = {
        "host": socket.gethostname(),
        "base": str(submission.base),
        "git": git_state(submission.base),
        "command": submission.command,
    }
    return json.dumps(origin)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
