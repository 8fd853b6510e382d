"""`trivium train JOB`."""

import json
import sys

from trivium.platform.commands.options import AsJson, JobPath, Overrides, StorePath, Verbose


def command(
    job: JobPath,
    overrides: Overrides = None,
    store: StorePath = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Train a job; ends with the scores, where they lie, and the next command."""
    from trivium.platform.errors import UserError
    from trivium.platform.job import open_job, read_job
    from trivium.platform.runner import Screen, start
    from trivium.platform.store import Store

    file = open_job(job, overrides or ())
    checked = read_job(file)
    screen = Screen(to_stderr=as_json, verbose=verbose)
    try:
        run = start(checked, Store(store), screen)
    except UserError as error:
        raise file.locate(error) from None
    screen.ending(run)
    if as_json:
        sys.stdout.write(json.dumps(run.result, ensure_ascii=False) + "\n")
