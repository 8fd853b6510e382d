"""Scores and exhibits on the console: the same content as on the report page, in plain text.

rich is imported when something is drawn. Pictures stay in the report.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.exhibit import (
    Cell,
    Evaluation,
    Exhibit,
    Lines,
    Matrix,
    Note,
    Pictures,
    Points,
    Table,
)
from trivium.platform.phrasing import number, plural
from trivium.platform.summary import ScoreTable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text

_WIDEST_TEXT = 60
_MOST_ROWS = 30
_MOST_COLUMNS = 20
_LEVELS = " .:-=+*#%@"
_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def make_console() -> "Console":
    """A console for tables on standard output; in a pipe or a file they are not folded at 80."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def render(
    evaluation: Evaluation,
    title: str = "",
    report: Path | None = None,
    console: "Console | None" = None,
) -> None:
    """Print the scores, then each exhibit; `report` is where the pictures are."""
    console = console or make_console()
    console.print(metric_table(evaluation, title))
    render_exhibits(evaluation.exhibits, console, report)


def render_exhibits(
    exhibits: Sequence[Exhibit], console: "Console", report: Path | None = None
) -> None:
    """Print each exhibit under its title."""
    for exhibit in exhibits:
        console.print()
        console.print(exhibit.title, style="bold", markup=False)
        console.print(draw(exhibit, report))


def draw(exhibit: Exhibit, report: Path | None = None) -> "RenderableType":
    """One exhibit, without its title, as something that rich prints."""
    from rich.console import Group
    from rich.text import Text

    if isinstance(exhibit, Table):
        table = grid(exhibit.columns, exhibit.rows)
        notes = [_more(len(exhibit.rows) - _MOST_ROWS, "row", report), exhibit.note]
        return Group(table, *(Text(n, style="dim") for n in notes if n))
    if isinstance(exhibit, Matrix):
        return _matrix(exhibit, report)
    if isinstance(exhibit, Pictures):
        where = f"see {report}" if report else "see report.html"
        return Text(f"{plural(len(exhibit.pictures), 'picture')}: {where}", style="dim")
    if isinstance(exhibit, Lines):
        return _lines(exhibit)
    if isinstance(exhibit, Points):
        count = plural(sum(map(len, exhibit.groups.values())), "point")
        where = f"see {report}" if report else "see report.html"
        return Text(f"{count}, {exhibit.y_label} over {exhibit.x_label}: {where}", style="dim")
    assert isinstance(exhibit, Note)
    return Text(exhibit.text)


def metric_table(evaluation: Evaluation, title: str = "") -> "RichTable":
    """Name and value of each score."""
    rows = [(name, float(value)) for name, value in evaluation.metrics.items()]
    table = grid(("score", "value"), rows)
    if title:
        table.title = title
        table.title_justify = "left"
        table.title_style = "bold"
    return table


def split_table(table: ScoreTable) -> "RichTable":
    """Metric by train, validation and test: only the splits that something was measured on."""
    cells = [(metric, *map(_score, values)) for metric, values in table.rows]
    return grid(("", *table.splits), cells, numeric=range(1, len(table.splits) + 1))


def sparkline(values: Sequence[float | None], width: int = 40) -> str:
    """A curve in one line of text, thinned to `width` characters; a gap where it is not finite."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    reach = (high - low) or 1.0
    return "".join(
        " " if v is None else _BARS[round((v - low) / reach * (len(_BARS) - 1))] for v in values
    )


def grid(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], numeric: Sequence[int] | range = ()
) -> "RichTable":
    """A light table; the columns `numeric`, or else those with numbers, are aligned right."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    right = set(numeric) or {
        i for row in rows for i, cell in enumerate(row) if isinstance(cell, int | float)
    }
    table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for i, name in enumerate(columns):
        is_right = i in right
        table.add_column(
            Text(name),
            justify="right" if is_right else "left",
            no_wrap=is_right,
            max_width=None if is_right else _WIDEST_TEXT,
        )
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(Text(number(cell)) for cell in row))
    return table


def _matrix(matrix: Matrix, report: Path | None) -> "RenderableType":
    """Counts, shaded by their share of the row; one character a cell when there are many."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    caption = Text(f"rows: {matrix.row_axis}, columns: {matrix.column_axis}", style="dim")
    if len(matrix.column_labels) > _MOST_COLUMNS:
        lines = [
            Text(f"{label[:20]:>20} ") + Text("".join(_LEVELS[_level(s)] for s in shares))
            for label, shares in zip(matrix.row_labels, _shares(matrix), strict=True)
        ]
        where = f"; with numbers: {report}" if report else ""
        return Group(*lines, Text(f"{caption}; darker is more of the row{where}", style="dim"))
    table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", style="dim")
    for label in matrix.column_labels:
        table.add_column(Text(label[:12]), justify="right", no_wrap=True)
    for label, values, shares in zip(
        matrix.row_labels, matrix.values, _shares(matrix), strict=True
    ):
        cells = [
            Text(number(int(v) if float(v).is_integer() else v), style=_shade(s, bool(v)))
            for v, s in zip(values, shares, strict=True)
        ]
        table.add_row(Text(label[:24]), *cells)
    return Group(table, caption)


def _lines(exhibit: Lines) -> "Text":
    from rich.text import Text

    width = max(map(len, exhibit.lines), default=0)
    rows = [
        f"{name:<{width}}  {number(values[0])} {sparkline(values)} {number(values[-1])}"
        for name, values in exhibit.lines.items()
        if values
    ]
    ends = (
        f"over {exhibit.x_label} {number(exhibit.x[0])} to {number(exhibit.x[-1])}"
        if exhibit.x
        else ""
    )
    return Text("\n".join([*rows, ends]))


def _shares(matrix: Matrix) -> list[list[float]]:
    return [[abs(v) / (sum(map(abs, row)) or 1.0) for v in row] for row in matrix.values]


def _level(share: float) -> int:
    # The root makes a few mistakes among many rows visible.
    return min(len(_LEVELS) - 1, round(math.sqrt(share) * (len(_LEVELS) - 1)))


def _shade(share: float, is_some: bool) -> str:
    if share > 0.5:
        return "white on blue"
    if share > 0.05:
        return "on bright_black" if share > 0.2 else "bold"
    return "" if is_some else "dim"


def _score(value: float | None) -> Cell:
    return "" if value is None else float(value)


def _more(count: int, word: str, report: Path | None) -> str:
    return (
        f"... and {plural(count, f'more {word}')} in {report or 'report.html'}" if count > 0 else ""
    )
