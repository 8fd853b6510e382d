"""`trivium logs JOB_ID`."""

import sys

from trivium.platform.commands.attach import Address, JobId
from trivium.platform.commands.options import Verbose


def command(job_id: JobId = "last", address: Address = None, verbose: Verbose = False) -> None:
    """Print what a job has written so far."""
    from trivium.platform.cluster.address import find_job
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.cluster.following import shown_lines

    found, where = find_job(job_id, address)
    for line in shown_lines(Cluster(where), found, verbose):
        sys.stdout.write(line + "\n")
