"""`trivium evaluate RUN`."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trivium.platform.commands.options import AsJson, RunName, StorePath

if TYPE_CHECKING:
    from trivium.platform.run import RunFolder

Split = Annotated[str, typer.Option(help="Data to score: test, validation or train.")]
Episodes = Annotated[int, typer.Option(min=1, help="Episodes to play (reinforcement learning).")]
Sample = Annotated[bool, typer.Option("--sample", help="Draw actions instead of the best one.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the episodes (default: fresh ones).")]


def command(
    run: RunName = "last",
    split: Split = "test",
    episodes: Episodes = 100,
    sample: Sample = False,
    seed: Seed = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Restore the best checkpoint, score it, and fail when it is not what the run recorded."""
    from trivium.platform.algorithm import EvaluateOptions
    from trivium.platform.errors import RunFailed
    from trivium.platform.exhibit_text import render
    from trivium.platform.runner import make_algorithm
    from trivium.platform.store import Store

    found = Store(store).find(run)
    options = EvaluateOptions(split, episodes, sample, seed)
    failures = []
    for one in _trainings(found):
        algorithm = make_algorithm(one.job())
        evaluation = algorithm.evaluate(one, options)
        failure = algorithm.verify(one.result.get("metrics", {}), evaluation.metrics)
        if as_json:
            content = {"run": one.id, "metrics": dict(evaluation.metrics), "failure": failure}
            sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        else:
            render(evaluation, title=one.id)
            _conclude(one, failure)
        failures += [f"{one.id}: {failure}"] if failure else []
    if failures:
        raise RunFailed("\n".join(failures))


def _trainings(run: "RunFolder") -> list["RunFolder"]:
    """Of a run over seeds or folds each one's, of a sweep those of each trial."""
    return [one for child in run.children() for one in _trainings(child)] or [run]


def _conclude(run: "RunFolder", failure: str | None) -> None:
    from trivium.platform.remote.copies import place_of

    if failure is None and run.result:
        pictures = place_of(run.report)
        print(f"\nthe scores are those that training recorded; pictures: {pictures}")
