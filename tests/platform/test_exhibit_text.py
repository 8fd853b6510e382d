from pathlib import Path
from typing import Any

from rich.console import Console

from trivium.platform.exhibit import Evaluation, Lines, Matrix, Note, Picture, Pictures, Table
from trivium.platform.exhibit_text import render, sparkline

CONSOLE = {"width": 90, "highlight": False}


def shown(capsys: Any, *exhibits: Any, report: Path | None = None) -> list[str]:
    render(Evaluation({"test/accuracy": 0.9}, exhibits), "a-1", report, Console(**CONSOLE))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == ["a-1", "score            value", "─" * 22, "test/accuracy   0.9000"]
    return lines[5:]


def test_a_table_has_four_decimals_and_its_note(capsys: Any) -> None:
    table = Table("Per class", ("class", "rows", "F1"), (("[b]cat", 1083, 0.91234),), "A note.")
    assert shown(capsys, table) == [
        "Per class",
        "class     rows       F1",
        "───────────────────────",
        "[b]cat   1,083   0.9123",
        "A note.",
    ]


def test_a_long_table_points_to_the_report(capsys: Any) -> None:
    table = Table("Rows", ("row",), tuple((i,) for i in range(100)))
    assert shown(capsys, table, report=Path("runs/a-1/report.html"))[-1] == (
        "... and 70 more rows in runs/a-1/report.html"
    )


def test_a_confusion_matrix_has_whole_counts(capsys: Any) -> None:
    matrix = Matrix("Confusion matrix", ("no", "yes"), ("no", "yes"), ((9.0, 1.0), (0.0, 5.0)))
    assert shown(capsys, matrix) == [
        "Confusion matrix",
        "      no   yes",
        "──────────────",
        " no    9     1",
        "yes    0     5",
        "rows: truth, columns: prediction",
    ]


def test_a_matrix_of_many_classes_is_one_character_a_cell(capsys: Any) -> None:
    labels = tuple(f"c{i}" for i in range(21))
    values = tuple(tuple(9.0 if i == j else 0.0 for j in range(21)) for i in range(21))
    lines = shown(capsys, Matrix("M", labels, labels, values))
    assert lines[1] == f"{'c0':>20} @"
    assert lines[-1] == "rows: truth, columns: prediction; darker is more of the row"


def test_pictures_curves_and_notes(capsys: Any) -> None:
    pictures = Pictures("Mistakes", (Picture(b"", "a"), Picture(b"", "b")))
    lines = Lines("ROC", "false positives", (0.0, 0.5, 1.0), {"cat": (0.0, 0.9, 1.0)})
    note = Note("Word", "Plain text.")
    assert shown(capsys, pictures, lines, note, report=Path("r.html")) == [
        "Mistakes",
        "2 pictures: see r.html",
        "",
        "ROC",
        "cat  0.0000 ▁▇█ 1.0000",
        "over false positives 0.0000 to 1.0000",
        "",
        "Word",
        "Plain text.",
    ]


def test_a_sparkline_is_thinned_and_leaves_gaps() -> None:
    assert sparkline([0.0, None, 1.0]) == "▁ █"
    assert len(sparkline([float(i) for i in range(1000)], width=20)) == 20
    assert sparkline([1.0]) == ""
