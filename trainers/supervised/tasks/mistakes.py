"""The worst mistakes of a model, with what it saw: the quickest way to find wrong labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trivium.platform.exhibit import Exhibit, Pictures, Table, picture
from trivium.trainers.supervised.tasks.task import Example

NUM_MISTAKES = 12
TEXT_LENGTH = 200


@dataclass(frozen=True)
class Mistake:
    """A row that the model got wrong; `badness` is its loss or error."""

    row: int
    truth: str | float
    prediction: str | float
    badness: float


def show_mistakes(
    title: str,
    mistakes: Sequence[Mistake],
    example: Callable[[int], Example],
    badness: str = "loss",
) -> Exhibit:
    """Pictures when the inputs are images, else a table with the inputs as text.

    `badness` is what a mistake's number is called.
    """
    examples = [example(mistake.row) for mistake in mistakes]
    images = [image for image in examples if isinstance(image, np.ndarray)]
    if images and len(images) == len(examples):
        captions = [
            f"row {m.row}: {_cell(m.truth)}, predicted {_cell(m.prediction)} "
            f"({badness} {m.badness:.3g})"
            for m in mistakes
        ]
        return Pictures(
            title, tuple(picture(image, c) for image, c in zip(images, captions, strict=True))
        )
    return Table(
        title,
        ("row", "truth", "prediction", badness, "input"),
        tuple(
            (m.row, m.truth, m.prediction, m.badness, as_text(seen))
            for m, seen in zip(mistakes, examples, strict=True)
        ),
    )


def as_text(seen: Example) -> str:
    """An example on one line, cut at 200 characters."""
    if isinstance(seen, np.ndarray):
        text = f"picture of {' x '.join(map(str, seen.shape))}"
    elif isinstance(seen, Mapping):
        text = ", ".join(f"{name} {_cell(value)}" for name, value in seen.items())
    else:
        text = " ".join(seen.split())
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH - 3]}..."


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
