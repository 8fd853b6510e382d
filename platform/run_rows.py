"""The rows of `trivium runs`, and what a large store remembers of them.

Ten thousand runs are thirty thousand small files, seconds of reading from a disk. The rows of
finished runs are therefore kept in one file of the store, each with the times of the files that it
came from: a row whose files have other times is made anew. Nothing depends on that file; it may be
deleted at any time, and a store that cannot be written to does without.
"""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivium.platform.errors import UserError
from trivium.platform.phrasing import plural
from trivium.platform.registry import load_text
from trivium.platform.run import RunFolder, write_json
from trivium.platform.store import Store
from trivium.platform.summary import Score, duration_s, main_score, seconds_since

MANY = 500
"""Rows up to which nothing is remembered: they are made in no time."""
_FILE = ".rows.json"
_FORMAT = 1
"""Another one when rows say something else of the same files: the old ones are then forgotten."""


@dataclass(frozen=True)
class RunRow:
    """One line of `trivium runs`; a run of several seeds or folds is one line."""

    id: str
    status: str
    started: str | None
    """ISO 8601."""
    duration_s: float | None
    score: Score | None
    parts: str
    """`3 seeds`, or `2/3 seeds` while some are missing; empty for a single run."""

    @property
    def age_s(self) -> float | None:
        """Seconds since it was started."""
        return seconds_since(self.started, datetime.now(UTC))


def list_runs(store: Store, limit: int | None = 20) -> list[RunRow]:
    """Rows for the newest runs, newest first; None lists all."""
    runs = store.newest(limit)
    if len(runs) <= MANY:
        return [_row(run) for run in runs]
    known = _remembered(store.root)
    rows, kept, num_new = [], {}, 0
    for run in runs:
        times = _times(run)
        before = _recalled(known.get(run.id), times)
        row = before or _row(run)
        if row.status == "finished" and times is not None:
            num_new += before is None
            kept[run.id] = {"times": times, "row": asdict(row)}
        rows.append(row)
    if num_new:
        rest = known if limit is not None else {}  # of all runs: who is not there is gone
        with suppress(OSError):
            write_json(store.root / _FILE, {"format": _FORMAT, "rows": rest | kept})
    return rows


def parts_of(run: RunFolder) -> str:
    """What a run consists of and how far that is; empty for a single run."""
    kind = str(run.info.get("kind"))
    if run.status == "finished" and f"num_{kind}" in run.result:
        return plural(int(run.result[f"num_{kind}"]), kind.removesuffix("s"))
    if kind != "tune" and not (run.path / "children").is_dir():
        return ""
    if kind == "tune":
        return str(load_text("trivium.tuning.outcome:parts")(run))
    done = Counter(c.status for c in run.children() if (c.path / "run.json").is_file())
    finished, begun = done["finished"], sum(done.values())
    word = {"seeds": "seed", "folds": "fold"}.get(kind, "run")
    total = max(begun, _asked(run)) if word != "run" else begun
    if finished == total:
        return plural(total, word)
    failed = f", {done['failed']} failed" if done["failed"] else ""
    return f"{finished}/{plural(total, word)}{failed}"


def _row(run: RunFolder) -> RunRow:
    started = run.info.get("started")
    return RunRow(run.id, run.status, started, duration_s(run), main_score(run), parts_of(run))


def _asked(run: RunFolder) -> int:
    """Seeds or folds that a run which is not finished has to train."""
    if run.status == "finished":
        return 0
    try:
        data = run.job_file.data
    except UserError:
        return 0
    validation = data.get("validation") or {}
    return int(validation.get("folds", 1) if "folds" in validation else data.get("seeds", 1))


def _times(run: RunFolder) -> list[int] | None:
    """When the files that a finished run's row is made of were written; None without a result."""
    try:
        return [(run.path / name).stat().st_mtime_ns for name in ("run.json", "result.json")]
    except OSError:
        return None


def _remembered(root: Path) -> dict[str, Any]:
    try:
        content = json.loads((root / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_ours = isinstance(content, dict) and content.get("format") == _FORMAT
    rows = content.get("rows") if is_ours else None
    return rows if isinstance(rows, dict) else {}


def _recalled(entry: Any, times: list[int] | None) -> RunRow | None:
    """The row that was kept, None when there is none of these times."""
    try:
        if entry["times"] != times:
            return None
        row, score = entry["row"], entry["row"]["score"]
        return RunRow(**row | {"score": Score(**score) if score is not None else None})
    except (KeyError, TypeError):
        return None
