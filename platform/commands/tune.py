"""`trivium tune JOB`."""

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
    """Search the settings named in the job's section `tune`; ends with a winner and how sure."""
    from trivium.platform.errors import UserError
    from trivium.platform.job import open_job, read_job
    from trivium.platform.registry import load_text
    from trivium.platform.runner import Screen
    from trivium.platform.store import Store

    file = open_job(job, overrides or ())
    checked = read_job(file)
    screen = Screen(to_stderr=as_json, verbose=verbose)
    try:
        start = load_text("trivium.tuning.sweep:start_sweep")
        run = start(checked, file.data, Store(store), screen)
    except UserError as error:
        raise file.locate(error) from None
    screen.ending(run)
    if as_json:
        sys.stdout.write(json.dumps(run.result, ensure_ascii=False) + "\n")
