"""`trivium check JOB`."""

import json
import sys

from trivium.platform.commands.options import AsJson, JobPath, Overrides


def command(job: JobPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Everything that can be known before a start, on one screen; nothing is started."""
    from trivium.platform.console import Console
    from trivium.platform.errors import UserError
    from trivium.platform.job import open_job, read_job
    from trivium.platform.registry import load_text
    from trivium.platform.runner import make_algorithm, refuse_problems

    file = open_job(job, overrides or ())
    checked = read_job(file)
    try:
        preflight = make_algorithm(checked).preflight()
        if checked.tune is not None:
            load_text("trivium.tuning.plan:make_plan")(checked, file.data)
    except UserError as error:
        raise file.locate(error) from None
    if as_json:
        content = {
            "facts": dict(preflight.facts),
            "warnings": preflight.warnings,
            "problems": preflight.problems,
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    else:
        console = Console()
        console.heading(f"{checked.name}  ({job})")
        console.facts(preflight.facts)
        for warning in preflight.warnings:
            console.say(f"warning: {warning}")
    try:
        refuse_problems(preflight)
    except UserError as error:
        raise file.locate(error) from None
    if not as_json:
        verb = "train" if checked.tune is None else "tune"
        console.say(f"\nfine. Next:\n  trivium {verb} {job}")
