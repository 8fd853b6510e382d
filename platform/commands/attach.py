"""`trivium attach JOB_ID`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trivium.platform.commands.options import Verbose

if TYPE_CHECKING:
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.console import Console

JobId = Annotated[
    str, typer.Argument(metavar="JOB_ID", help="A submitted job (default: the last one).")
]
Address = Annotated[
    str | None, typer.Option(metavar="URL", help="The head's dashboard (default: where it went).")
]


def command(job_id: JobId = "last", address: Address = None, verbose: Verbose = False) -> None:
    """Print a job's output from its beginning and follow it to its end."""
    from trivium.platform.cluster.address import find_job
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.console import Console

    found, where = find_job(job_id, address)
    follow(Cluster(where), found, Console(), verbose)


def follow(
    cluster: "Cluster",
    job_id: str,
    console: "Console",
    verbose: bool,
    reserves: dict[str, float] | None = None,
) -> None:
    """Follow until the job ends, or Ctrl-C, which leaves the job alone."""
    from trivium.platform.cluster.following import Follower, waiting_reason

    follower = Follower(cluster, job_id, console, verbose)
    if reserves:
        follower.waits_for = waiting_reason(reserves)
    try:
        follower.follow()
    except KeyboardInterrupt:
        console.say(
            f"\nnot followed any more; the job goes on. `trivium attach {job_id}` follows it "
            f"again, `trivium stop {job_id}` ends it"
        )
