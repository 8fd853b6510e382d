"""`trivium up`."""

import os
import sys
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson

Cpus = Annotated[
    int | None, typer.Option(min=1, help="CPUs that it offers (default: the cores and two).")
]


def command(cpus: Cpus = None, as_json: AsJson = False) -> None:
    """Start a Ray that stays up; commands typed in this folder use it until `trivium down`."""
    from trivium.platform.cluster import warm
    from trivium.platform.registry import load_text
    from trivium.platform.runner import Screen

    console = Screen(to_stderr=as_json).console()
    found = warm.find_warm()
    if found is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        environment = load_text("trivium.trainers.local_ray:warm_environment")()
        found = warm.start_warm(cpus or (cores or 1) + 2, environment)
        console.heading("a cluster for this folder is up")
    else:
        console.heading(f"it is up since {found.started}")
    console.facts(warm.describe(found))
    if as_json:
        sys.stdout.write(warm.as_json(found) + "\n")
    console.say("\nNext:\n  trivium train JOB\n  trivium submit JOB\n  trivium down")
