"""What an ensemble shows: what was gained, the ways to combine side by side, the members."""

from collections.abc import Sequence
from dataclasses import dataclass

from trivium.platform.exhibit import Cell, Evaluation, Exhibit, Note, Table
from trivium.trainers.supervised.ensemble.comparison import Gain
from trivium.trainers.supervised.ensemble.job import Method


@dataclass(frozen=True)
class Way:
    """One way to combine, and how well it did."""

    method: Method
    validation: Evaluation
    test: Evaluation
    gain: Gain
    """Over the best single member, on the test rows."""


def exhibits(
    sentence: str,
    ways: Sequence[Way],
    used: Way,
    members: Sequence[tuple[str, Evaluation, Evaluation]],
    names: Sequence[str],
) -> list[Exhibit]:
    """The sentence, and two tables of the metrics `names`.

    `members` are (run, scores of the validation rows, scores of the test rows).
    """
    columns = [f"{split}/{name}" for split in ("validation", "test") for name in names]
    note = (
        "Chosen by the validation rows; what is fitted on them is scored there on rows that the "
        "fit left out. Gain: how much better than the best single one on the test rows, with its "
        "95% interval over rows drawn again; real when that leaves out 0."
    )
    gained = (f"gain in {used.gain.metric}", "95% interval", "real")
    rows = tuple(
        (
            f"{way.method} (chosen)" if way is used else way.method,
            *_cells(way.validation, way.test, columns),
            way.gain.gain,
            f"{way.gain.low:+.4f} to {way.gain.high:+.4f}",
            "yes" if way.gain.is_real else "no",
        )
        for way in ways
    )
    return [
        Note("What is gained", f"{sentence}."),
        Table("Ways to combine", ("method", *columns, *gained), rows, note),
        Table(
            "Members", ("run", *columns), tuple((n, *_cells(v, t, columns)) for n, v, t in members)
        ),
    ]


def _cells(validation: Evaluation, test: Evaluation, columns: Sequence[str]) -> list[Cell]:
    known = {**validation.metrics, **test.metrics}
    return [known.get(column, "") for column in columns]
