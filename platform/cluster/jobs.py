"""The jobs of a cluster as a table."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trivium.platform.cluster.client import Cluster

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]


def list_jobs(cluster: Cluster) -> list[Row]:
    """Submitted jobs, newest first: id, status, started (Unix s), duration_s, command, message."""
    found = [j for j in cluster.get("/api/jobs/") if j.get("type") == "SUBMISSION"]
    found.sort(key=lambda j: j.get("start_time") or 0, reverse=True)
    return [_row(job) for job in found]


def render_jobs(rows: Sequence[Row], console: "Console", address: str) -> None:
    """A line for each job, and below what the newest one is or does."""
    from rich.table import Table

    if not rows:
        console.print(f"{address} has no jobs; `trivium submit JOB --address {address}` makes one")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("job", "status", "took", "command"):
        table.add_column(name, no_wrap=name != "command")
    for row in rows:
        table.add_row(
            row["id"], row["status"].lower(), f"{row['duration_s']:.0f} s", row["command"]
        )
    console.print(table)
    for row in rows:
        if row["status"] == "PENDING" and row["message"]:
            console.print(f"{row['id']}: {row['message']}", markup=False, highlight=False)


def _row(job: Mapping[str, Any]) -> Row:
    started = (job.get("start_time") or 0) / 1000  # ms
    ended = (job.get("end_time") or 0) / 1000 or time.time()
    lines = str(job.get("message") or "").strip().splitlines()
    return {
        "id": job["submission_id"],
        "status": job["status"],
        "started": started,
        "duration_s": round(max(0.0, ended - started), 1),
        "command": _command(str(job.get("entrypoint", ""))),
        "message": lines[0] if lines else "",
    }


def _command(entrypoint: str) -> str:
    """The entry point as a person would type it."""
    _, found, words = entrypoint.partition("-m trivium.platform.cli ")
    return f"trivium {words}" if found else entrypoint
