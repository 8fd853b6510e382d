"""The flags that mean the same in every verb."""

from pathlib import Path
from typing import Annotated

import typer

JobPath = Annotated[Path, typer.Argument(metavar="JOB", help="A job file (YAML).")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its id, its number, `last`, or its folder.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a setting of the job file."),
]
StorePath = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="PLACE", help="Folder or URI (s3://...) of the runs (default: ./runs)."
    ),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Load pickled state too, which runs the code in it: only of people you trust.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what Ray and torch print too.")]
