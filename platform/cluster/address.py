"""Which cluster a command means: `--address`, Ray's own variables, where it last submitted to."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from trivium.platform.errors import UserError

PROJECT_FOLDER = ".trivium"
"""Folder in the working directory for what belongs to this project on this machine."""


@dataclass(frozen=True)
class Submitted:
    """A job that was submitted from this folder; its address, so that nobody types it again."""

    id: str
    address: str
    command: str
    store: str
    submitted: str


def find_address(given: str | None, environment: Mapping[str, str] | None = None) -> str | None:
    """The job server's address, with its scheme: as typed, from Ray's variables, of `trivium up`.

    Raises:
        UserError: it is the address of another of Ray's servers.
    """
    variables = os.environ if environment is None else environment
    found = given or variables.get("RAY_API_SERVER_ADDRESS")
    if found is None and variables.get("RAY_ADDRESS", "").startswith("http"):
        found = variables["RAY_ADDRESS"]
    if found is None:
        from trivium.platform.cluster.warm import find_warm

        warm = find_warm()
        return warm.dashboard if warm else None
    if found.startswith("ray://") or found.rpartition(":")[2] == "6379":
        raise UserError(
            f"--address {found}: jobs are submitted to the dashboard's address, "
            f"such as http://HEAD:8265"
        )
    return found if "://" in found else f"http://{found}"


def remember(submitted: Submitted) -> None:
    """Add a job to those of this folder."""
    with (project_folder() / "submitted.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(submitted)) + "\n")


def remembered() -> list[Submitted]:
    """The jobs that were submitted from this folder, oldest first."""
    file = Path(PROJECT_FOLDER) / "submitted.jsonl"
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Submitted(**json.loads(line)) for line in lines if line.endswith("}")]


def find_job(job_id: str, given: str | None) -> tuple[str, str]:
    """The id and the address of the job that `job_id` (or `last`) names.

    Raises:
        UserError: nothing tells its address, or nothing was submitted from here.
    """
    known = remembered()
    if job_id == "last":
        if not known:
            raise UserError("nothing was submitted from this folder; give a job's id and --address")
        job_id = known[-1].id
    match = next((s for s in reversed(known) if s.id == job_id), None)
    address = find_address(given) or (match.address if match else None)
    if address is None:
        raise UserError(
            f"{job_id} was not submitted from this folder: say where it is, --address http://HEAD:8265"
        )
    return job_id, address


def project_folder() -> Path:
    """`.trivium` in the working directory, made when missing; git and uploads pass it over."""
    folder = Path(PROJECT_FOLDER)
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder
