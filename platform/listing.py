"""`trivium runs` and `trivium show RUN` as printed: a store's runs, one of them in sections."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trivium.platform.errors import UserError
from trivium.platform.flatten import flatten
from trivium.platform.phrasing import age, duration, number, size
from trivium.platform.registry import load_text
from trivium.platform.remote.copies import place_of
from trivium.platform.run import RunFolder
from trivium.platform.run_rows import MANY, RunRow, parts_of
from trivium.platform.store import Store
from trivium.platform.summary import (
    Score,
    ScoreTable,
    age_s,
    duration_s,
    main_score,
    other_scores,
    score_table,
)

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"finished": "green", "failed": "red", "stopped": "yellow", "running": "blue"}


@dataclass(frozen=True)
class RunCard:
    """What `trivium show` prints, in sections of (label, text)."""

    run: str
    """Its id."""
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    scores: ScoreTable
    others: tuple[tuple[str, float], ...]
    """Scores that belong to no split of data."""
    commands: tuple[str, ...]


def run_infos(store: Store, limit: int | None = None) -> list[dict[str, Any]]:
    """Content of run.json of the newest runs, newest first; a dead run is not `running`."""
    return [run.info | {"status": run.status} for run in store.newest(limit)]


def render_runs(rows: list[RunRow], console: "Console", total: int | None = None) -> None:
    """Print the rows; `total` is how many runs the store has, when rows may be fewer."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not rows:
        console.print("no runs yet; `trivium train JOB` makes one", markup=False)
        return
    if len(rows) > MANY:
        console.file.write(_plain_rows(rows))
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for name in ("run", "status", "started", "took"):
        table.add_column(name, no_wrap=name != "run", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_column("")
    for row in rows:
        table.add_row(
            Text(row.id, style="bold"),
            Text(row.status, style=_STYLE.get(row.status, "")),
            age(row.age_s),
            duration(row.duration_s),
            _score_text(row.score),
            Text(_score_name(row.score), style="dim"),
            row.parts,
        )
    console.print(table)
    if total is not None and total > len(rows):
        console.print(f"{len(rows)} of {total:,} runs; --limit N shows more", style="dim")


def _plain_rows(rows: list[RunRow]) -> str:
    """The same columns as text: laying out ten thousand rows as a table takes seconds."""
    cells = [("run", "status", "started", "took", "score", "", "")]
    cells += [
        (
            row.id,
            row.status,
            age(row.age_s),
            duration(row.duration_s),
            _score_text(row.score),
            _score_name(row.score),
            row.parts,
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(
        "  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in cells
    )


def describe_run(run: RunFolder) -> RunCard:
    """The sections of `trivium show`: what it is, what it was made of, how well, what next."""
    records = run.metrics()
    return RunCard(
        run.id,
        sections=(
            ("Run", tuple(_what(run))),
            ("Job", tuple(_job(run))),
            ("Training", tuple(_training(run))),
            ("Checkpoints", tuple(_checkpoints(run))),
            *_sweep_sections(run),
        ),
        scores=score_table(run, records),
        others=tuple(other_scores(run).items()),
        commands=tuple(_commands(run)),
    )


def render_card(card: RunCard, console: "Console") -> None:
    """Print the sections, the scores, and the next commands."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from trivium.platform.exhibit import Table as TableExhibit
    from trivium.platform.exhibit_text import draw, split_table

    for title, rows in card.sections:
        if not rows:
            continue
        console.print(Text(f"\n{title}", style="bold"))
        table = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for label, text in rows:
            style = _STYLE.get(text, "") if label == "status" else ""
            table.add_row(label, Text(text, style=style))
        console.print(table)
    if card.scores.rows or card.others:
        console.print(Text("\nScores", style="bold"))
    if card.scores.rows:
        console.print(split_table(card.scores))
    if card.others:
        if card.scores.rows:
            console.print()
        console.print(draw(TableExhibit("", ("", "value"), card.others)))
    console.print(Text("\nNext", style="bold"))
    for command in card.commands:
        console.print(Text(f"  {command}"), soft_wrap=True)


def _score_text(score: Score | None) -> str:
    if score is None:
        return ""
    interval = f" +/- {number(score.half_width)}" if score.half_width is not None else ""
    return f"{number(score.value)}{interval}"


def _score_name(score: Score | None) -> str:
    if score is None:
        return ""
    return score.name if score.is_final else f"{score.name} so far"


def _what(run: RunFolder) -> list[tuple[str, str]]:
    info = run.info
    git = info.get("git") or {}
    commit = f"{str(git['commit'])[:12]}{' + changes' if git.get('dirty') else ''}" if git else "-"
    rows = [
        ("id", run.id),
        ("status", run.status),
        (
            "started",
            f"{str(info.get('started', '-'))[:19].replace('T', ' ')} UTC, {age(age_s(run))}",
        ),
        ("duration", duration(duration_s(run))),
        ("command", str(info.get("command", "-"))),
        ("host", str(info.get("host", "-"))),
        ("code", commit),
        ("seed", str(info.get("seed", "-"))),
    ]
    if info.get("error"):
        rows.insert(2, ("error", str(info["error"])))
    if (run.path / "children").is_dir():
        rows.append(("contains", parts_of(run)))
    return rows


def _sweep_sections(run: RunFolder) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Of a sweep: the best trials, importance, what was not explored, the final."""
    if run.info.get("kind") != "tune":
        return []
    found = load_text("trivium.tuning.outcome:sections")(run)
    return [(title, tuple(rows)) for title, rows in found]


def _job(run: RunFolder) -> list[tuple[str, str]]:
    """Facts recorded at the start where there are any, else the job's sections in short."""
    recorded = run.info.get("facts")
    if recorded:
        rows = [(str(label), str(text)) for label, text in recorded]
    else:
        try:
            data = run.job_file.data
        except UserError:
            return []
        sections = [k for k in ("dataset", "env", "model", "algorithm", "resources") if k in data]
        rows = [(key, _short(data[key])) for key in sections]
    fingerprint = run.info.get("dataset_fingerprint")
    return [*rows, ("fingerprint", str(fingerprint))] if fingerprint else rows


def _short(section: Any) -> str:
    """`cnn: channels [32, 64], dropout 0.1`: the name first, what is off left out."""
    flat = flatten(section)
    head = [str(flat.pop(k)) for k in ("name", "source", "id") if k in flat]
    rest = [f"{k} {v}" for k, v in flat.items() if v not in (None, False, [], "")]
    return ": ".join(filter(None, [" ".join(head), ", ".join(rest)]))


def _training(run: RunFolder) -> list[tuple[str, str]]:
    result = run.result
    rows = []
    score = main_score(run)
    if score is not None:
        rows.append(("score" if score.is_final else "best so far", str(score)))
    if result.get("best_step") is not None:
        rows.append(("best step", number(result["best_step"])))
    for key, label in (("wall_time_s", "trained for"), ("first_step_s", "to first step")):
        if result.get(key) is not None:
            rows.append((label, duration(result[key])))
    for key, value in result.items():
        if key.endswith("_per_s") and value is not None:
            rows.append((key.removesuffix("_per_s").replace("_", " ") + "/s", f"{value:,.0f}"))
    return rows


def _checkpoints(run: RunFolder) -> list[tuple[str, str]]:
    rows = []
    for name in ("best", "last"):
        saved = run.saved(name)
        if saved is not None:
            rows.append((name, f"step {saved.step:,}, {size(saved.num_bytes)}, {saved.place}"))
    if run.report.is_file():
        rows.append(("report", place_of(run.report)))
    return rows


def _commands(run: RunFolder) -> list[str]:
    if run.info.get("kind") == "tune" and run.result:
        return [f"trivium train --from {run.id}", f"trivium ui {run.id}", *_resume(run)]
    if run.status == "finished" and run.info.get("kind") == "folds":
        return [f"trivium evaluate {run.id}", f"trivium ensemble {run.id}", f"trivium why {run.id}"]
    if run.status == "finished":
        exported = run.children()[0].id if run.children() else run.id
        return [f"trivium evaluate {run.id}", f"trivium export {exported}", f"trivium why {run.id}"]
    if run.status in ("running", "pending"):
        return [f"tail -f {run.log}", f"trivium why {run.id}"]
    return [f"trivium why {run.id}", f"trivium resume {run.id}"]


def _resume(run: RunFolder) -> list[str]:
    return [] if run.status in ("finished", "running") else [f"trivium resume {run.id}"]
