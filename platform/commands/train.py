"""`trivium train JOB`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, Overrides, StorePath, Verbose

Job = Annotated[Path | None, typer.Argument(metavar="JOB", help="A job file (YAML).")]
Sweep = Annotated[
    str | None, typer.Option("--from", metavar="SWEEP", help="The winner of a sweep, instead.")
]
Trial = Annotated[
    str | None,
    typer.Option("--trial", metavar="N", help="With --from: this trial, not the winner."),
]


def command(
    job: Job = None,
    sweep: Sweep = None,
    trial: Trial = None,
    overrides: Overrides = None,
    store: StorePath = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Train a job; ends with the scores, where they lie, and the next command."""
    from trivium.platform.errors import UserError
    from trivium.platform.job import open_job, read_job
    from trivium.platform.registry import load_text
    from trivium.platform.runner import Screen, start
    from trivium.platform.store import Store

    runs, screen = Store(store), Screen(to_stderr=as_json, verbose=verbose)
    _refuse_what_has_no_effect(job, sweep, trial, overrides)
    if sweep is not None:
        run = start(
            load_text("trivium.tuning.outcome:job_of")(runs.find(sweep), trial), runs, screen
        )
    else:
        assert job is not None
        file = open_job(job, overrides or ())
        checked = read_job(file)
        try:
            run = start(checked, runs, screen)
        except UserError as error:
            raise file.locate(error) from None
    screen.ending(run)
    if as_json:
        sys.stdout.write(json.dumps(run.result, ensure_ascii=False) + "\n")


def _refuse_what_has_no_effect(
    job: Path | None, sweep: str | None, trial: str | None, overrides: list[str] | None
) -> None:
    from trivium.platform.errors import UserError

    if sweep is None and job is None:
        raise UserError("train: give a job file, or --from SWEEP")
    if sweep is None and trial is not None:
        raise UserError("--trial has no effect without --from SWEEP")
    if sweep is not None and job is not None:
        raise UserError(f"--from {sweep} has a job of its own: leave {job} out")
    if sweep is not None and overrides:
        raise UserError("--set has no effect with --from SWEEP: the settings are the trial's")
