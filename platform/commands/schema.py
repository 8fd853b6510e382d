"""`trivium schema`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write it there instead.")
]


def command(output: Output = None) -> None:
    """JSON Schema (draft 2020-12) of every job file that this installation can read."""
    from trivium.platform.schema import job_schema

    text = json.dumps(job_schema(), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
