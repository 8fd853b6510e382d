"""report.html: one page that holds a whole run and needs no network and no Trivium to be read."""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.platform.curves import Curve, CurveGroup, axis, curve_groups, mean_groups
from trivium.platform.errors import TriviumError
from trivium.platform.exhibit import Cell, Exhibit, Lines, Matrix, Metric, Picture, Points
from trivium.platform.phrasing import duration, number
from trivium.platform.report.chart import Chart, draw
from trivium.platform.report.yaml_markup import highlight
from trivium.platform.run import Record, RunFolder
from trivium.platform.summary import (
    duration_s,
    main_score,
    other_scores,
    score_table,
)

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_NUM_OPEN_CHARTS = 6
_LOG_LINES = 40


@dataclass(frozen=True)
class Grid:
    """Rows under named columns, as the template draws them; None is an empty number."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    note: str = ""
    title: str = ""


def write_report(run: RunFolder, metrics: Sequence[Metric] | None = None) -> Path:
    """Write report.html into the run's folder; a page that was there is replaced whole.

    `metrics` says what the algorithm's numbers mean; without it the run's algorithm is asked.
    """
    text = render_page(run, metrics_of(run) if metrics is None else metrics)
    temporary = run.report.with_name(".report.html.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(run.report)
    return run.report


def render_page(run: RunFolder, metrics: Sequence[Metric] = ()) -> str:
    """The page as text."""
    from trivium.platform.diagnosis import diagnose

    records = run.metrics()
    children = run.children()
    groups = curve_groups(records) if records else mean_groups([c.metrics() for c in children])
    place = _best_place(run, records)
    if run.info.get("kind") == "tune":
        groups = []  # its records are trials, drawn as the optimization history
    if len(records) == 1:  # a single report is no curve: the table of scores has it
        told = dict(score_table(run, records).rows)
        groups = [g for g in groups if g.title not in told]
    charts = [c for g in groups if (c := draw(g, place)) is not None]
    score = main_score(run)
    has_ended_well = run.status == "finished"
    from markupsafe import Markup

    return (
        _environment()
        .get_template("report.html")
        .render(
            style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),
            script=Markup((_HERE / "report.js").read_text(encoding="utf-8")),
            id=run.id,
            kicker=_kicker(run),
            status=run.status,
            score=score,
            figures=list(_figures(run)),
            word=diagnose(run).sentences if not has_ended_well else _findings(run),
            log_tail="" if has_ended_well else _log_tail(run),
            scores=_scores(run, records),
            charts=charts[:_NUM_OPEN_CHARTS],
            more_charts=charts[_NUM_OPEN_CHARTS:],
            charts_note=""
            if records
            else f"Mean over the {_parts(run)}; the band spans all of them.",
            exhibits=run.exhibits,
            children=_children(run, children),
            warnings=log_warnings(run),
            facts=[(a, b) for r in (run, *children[:1]) for a, b in r.info.get("facts") or ()],
            meanings=[(m.name, m.meaning, m.healthy) for m in metrics],
            job=highlight(_read(run.path / "job.yaml")),
            provenance=list(provenance(run)),
            footer=f"Written by Trivium {(run.info.get('versions') or {}).get('trivium', '')}",
        )
    )


def metrics_of(run: RunFolder) -> Sequence[Metric]:
    """What the run's numbers mean, empty when its algorithm cannot be loaded any more."""
    from trivium.platform.runner import make_algorithm

    try:
        return make_algorithm(run.job()).metrics
    except (TriviumError, ImportError):
        return ()


def provenance(run: RunFolder) -> Iterable[tuple[str, str]]:
    """Where the run came from, as label and text, in the order of reading."""
    info = run.info
    git = info.get("git") or {}
    dirty = " with uncommitted changes" if git.get("dirty") else ""
    versions = info.get("versions") or {}
    cluster = info.get("ray") or {}
    rows = (
        ("command", info.get("command")),
        ("started", info.get("started")),
        ("ended", info.get("ended")),
        ("host", info.get("host")),
        ("seed", info.get("seed")),
        ("code", f"{git['commit']}{dirty}" if git.get("commit") else None),
        ("data fingerprint", info.get("dataset_fingerprint")),
        ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ("Ray", ", ".join(f"{k} {v}" for k, v in cluster.items() if v)),
        ("parent", info.get("parent")),
        ("folder", run.path.resolve()),
    )
    return ((label, str(text)) for label, text in rows if text not in (None, ""))


def log_warnings(run: RunFolder) -> list[str]:
    """Sentences of the log that warn (about gradients, data, settings), each once."""
    lines = (line.strip() for line in _read(run.log).splitlines())
    found = [
        s.removeprefix("warning: ") for s in lines if s.startswith(("warning: ", "gradients: "))
    ]
    return list(dict.fromkeys(found))[:12]


def _findings(run: RunFolder) -> tuple[str, ...]:
    """What the curves of a finished run warn of."""
    from trivium.platform.diagnosis import diagnose

    return diagnose(run).warnings


def _kicker(run: RunFolder) -> str:
    info = run.info
    kind = {"train": "Training run", "seeds": "Training runs over seeds", "tune": "Search"}
    kind |= {"folds": "Cross-validation", "ensemble": "Ensemble"}
    started = str(info.get("started") or "").replace("T", " ")[:16]
    return (
        f"{kind.get(str(info.get('kind')), 'Run')}{f', started {started} UTC' if started else ''}"
    )


def _figures(run: RunFolder) -> Iterable[tuple[str, str]]:
    score = main_score(run)
    if score is not None:
        label = score.name if score.is_final else f"{score.name}, best so far"
        interval = f" ± {number(score.half_width)}" if score.half_width is not None else ""
        yield label, f"{number(score.value)}{interval}"
    yield "duration", duration(duration_s(run))
    for name, value in run.result.items():
        if name.endswith("_per_s") and isinstance(value, int | float):
            yield name.removesuffix("_per_s").replace("_", " ") + " per second", f"{value:,.0f}"
    if run.result.get("best_step") is not None:
        yield "best step", number(run.result["best_step"])
    if run.result.get("first_step_s") is not None:
        yield "to first step", duration(run.result["first_step_s"])
    yield "host", str(run.info.get("host", "-"))


def _scores(run: RunFolder, records: list[Record]) -> Grid | None:
    if "interval_95" in run.result and run.exhibits:
        return None  # the table over seeds says it, with intervals
    table, others = score_table(run, records), other_scores(run)
    if table.rows:
        # What counts comes first: a phone shows no third column.
        cells = [(metric, *reversed(values)) for metric, values in table.rows]
        cells += [(k, v, *[None] * (len(table.splits) - 1)) for k, v in others.items()]
        note = table.note
        if run.result.get("best_step") is None:
            note = note.replace("best step", "last report")
        return Grid(("", *reversed(table.splits)), tuple(cells), note)
    if others:
        return Grid(("", "value"), tuple(others.items()))
    return None


def _children(run: RunFolder, children: Sequence[RunFolder]) -> Grid | None:
    if not children:
        return None
    scores = [main_score(c) for c in children]
    name = next((s.name for s in scores if s), "score")
    rows: list[tuple[Cell | None, ...]] = [
        (
            c.id,
            c.status,
            str(c.info.get("seed", "")),
            s.value if s else None,
            duration(duration_s(c)),
        )
        for c, s in zip(children, scores, strict=True)
    ]
    whole = main_score(run)
    has_interval = whole is not None and whole.name == name and "interval_95" in run.result
    note = f"Mean and 95% confidence interval: {whole}" if has_interval else ""
    columns = ("run", "status", "seed", name, "duration")
    return Grid(columns, tuple(rows), note, title=_parts(run).capitalize())


def _parts(run: RunFolder) -> str:
    """What the children are; only those of seeds and folds have curves of one job."""
    kind = str(run.info.get("kind"))
    return kind if kind in ("seeds", "folds") else "runs inside this run"


def _best_place(run: RunFolder, records: Sequence[Record]) -> float | None:
    """Where the best step stands on the x axis of the curves."""
    best, over = run.result.get("best_step"), axis(records)
    return next((float(r[over]) for r in records if r["step"] == best and over in r), None)


def _log_tail(run: RunFolder) -> str:
    return "\n".join(_read(run.log).splitlines()[-_LOG_LINES:])


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        quantity=lambda v: "" if v is None else number(v),
        numeric_columns=_numeric_columns,
        shaded=_shaded,
        kind=lambda e: type(e).__name__,
        data_uri=lambda p: f"data:image/png;base64,{base64.b64encode(p.png).decode()}",
        png_width=_png_width,
        lines_chart=_lines_chart,
        points_chart=_points_chart,
    )
    return made


def _numeric_columns(rows: Sequence[Sequence[Any]]) -> set[int]:
    """Indices of the columns that hold numbers: their heads are aligned right too."""
    return {i for row in rows for i, cell in enumerate(row) if isinstance(cell, int | float)}


def _shaded(matrix: Matrix) -> Iterable[tuple[str, list[tuple[Cell, float, float]]]]:
    """Label and cells of each row: value, its share of the row, and how dark it is drawn."""
    for label, values in zip(matrix.row_labels, matrix.values, strict=True):
        total = math.fsum(abs(v) for v in values) or 1.0
        shares = [abs(v) / total for v in values]
        # The root makes a few mistakes among many rows visible.
        yield label, [(_whole(v), s, math.sqrt(s)) for v, s in zip(values, shares, strict=True)]


def _whole(value: float) -> Cell:
    return int(value) if float(value).is_integer() else value


def _png_width(picture: Picture) -> int:
    return int.from_bytes(picture.png[16:20], "big")  # the header chunk is always the first


def _points_chart(exhibit: Exhibit) -> Chart | None:
    assert isinstance(exhibit, Points)
    curves = []
    for name, points in exhibit.groups.items():
        ordered: list[tuple[float, float | None]] = []
        for x, y in points if exhibit.is_joined else sorted(points):
            if ordered and x < ordered[-1][0]:
                ordered.append((x, None))  # breaks the line
            ordered.append((x, y))
        if ordered:
            curves.append(Curve(name, *map(tuple, zip(*ordered, strict=True))))
    group = CurveGroup(exhibit.y_label, exhibit.x_label, tuple(curves))
    return draw(group, is_joined=exhibit.is_joined, marks_gaps=False, is_log=exhibit.is_log)


def _lines_chart(exhibit: Exhibit) -> Chart | None:
    assert isinstance(exhibit, Lines)
    curves = []
    for name, values in exhibit.lines.items():
        low, high = exhibit.bands.get(name, ((), ()))
        finite = tuple(v if math.isfinite(v) else None for v in values)
        curves.append(Curve(name, exhibit.x, finite, tuple(low), tuple(high)))
    return draw(CurveGroup(exhibit.title, exhibit.x_label, tuple(curves)))
