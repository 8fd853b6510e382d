"""`trivium stop JOB_ID`."""

from trivium.platform.commands.attach import Address, JobId


def command(job_id: JobId = "last", address: Address = None) -> None:
    """Have a job finish its step, save and end; `trivium resume RUN` goes on."""
    from trivium.platform.cluster.address import find_job
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.cluster.following import stop
    from trivium.platform.console import Console

    found, where = find_job(job_id, address)
    stop(Cluster(where), found, Console())
