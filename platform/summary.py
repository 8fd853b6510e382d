"""What a run amounts to: how long it took, its score, its metrics side by side."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trivium.platform.curves import PLACE
from trivium.platform.phrasing import number
from trivium.platform.run import Record, RunFolder

# What is looked at first, in this order; then whatever the algorithm scored first.
_TELLING = ("accuracy", "return_mean", "rmse", "r2", "f1_macro", "loss")
_SMALLER_IS_BETTER = ("loss", "error", "rmse", "mse", "mae", "perplexity", "fid", "kl")
_TAIL_BYTES = 65_536
_COLUMNS = ("train", "validation", "evaluation", "test")


@dataclass(frozen=True)
class Score:
    """The one number that a run is known by."""

    name: str
    value: float
    half_width: float | None = None
    """Half the 95% confidence interval when it is a mean over seeds or episodes."""
    is_final: bool = True
    """False while it is the best so far of a run without a result."""

    def __str__(self) -> str:
        interval = f" +/- {number(self.half_width)}" if self.half_width is not None else ""
        return f"{self.name} {number(self.value)}{interval}"


@dataclass(frozen=True)
class ScoreTable:
    """Metrics side by side: a row for each, a column for each split that was measured."""

    splits: tuple[str, ...]
    """Columns: of train, validation, evaluation and test those that occur."""
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    """Name of the metric, and its values; None where it was not measured."""

    @property
    def note(self) -> str:
        """What the columns stand for that is not plain."""
        early = [s for s in self.splits if s != "test"]
        return f"{' and '.join(early).capitalize()}: at the best step." if early else ""


def larger_is_better(name: str) -> bool:
    """Whether more of the metric is better, told by its name."""
    words = name.rpartition("/")[2].split("_")
    return not any(w in _SMALLER_IS_BETTER for w in words)


def duration_s(run: RunFolder, now: datetime | None = None) -> float | None:
    """Seconds from start to end; up to now for a run that goes on, None for one that died."""
    started, ended = _time(run.info.get("started")), _time(run.info.get("ended"))
    if ended is None and run.status in ("running", "pending"):
        ended = now or datetime.now(UTC)
    return (ended - started).total_seconds() if started and ended else None


def age_s(run: RunFolder, now: datetime | None = None) -> float | None:
    """Seconds since the run was started."""
    return seconds_since(run.info.get("started"), now or datetime.now(UTC))


def seconds_since(began: str | None, now: datetime) -> float | None:
    """Seconds from an ISO 8601 time to `now`; None when there is none."""
    moment = _time(began)
    return (now - moment).total_seconds() if moment else None


def main_score(run: RunFolder) -> Score | None:
    """The run's score: of its result, else the best validation value so far.

    Reads only the end of a long metrics.jsonl, so that listings stay quick.
    """
    metrics: dict[str, Any] = run.result.get("metrics", {})
    name = telling(metrics)
    if name is not None:
        half = metrics.get(f"{name.removesuffix('_mean')}_ci95")  # over episodes
        return Score(name, metrics[name], run.result.get("interval_95", {}).get(name, half))
    records = tail_records(run)
    seen = {k for r in records for k in r if k not in PLACE}
    judged = sorted(k for k in seen if not k.startswith("train/") and not k.endswith("_per_s"))
    name = telling(judged or sorted(seen))
    if name is None:
        return None
    values = [r[name] for r in records if r.get(name) is not None]
    if not values:
        return None
    best = max(values) if larger_is_better(name) else min(values)
    return Score(name, best, is_final=False)


def telling(names: Any) -> str | None:
    """The most telling of some metrics' names, None when there are none."""
    for leaf in _TELLING:
        for name in names:
            if name.rpartition("/")[2] == leaf:
                return str(name)
    return next(iter(names), None)


def tail_records(run: RunFolder) -> list[Record]:
    """The last records of metrics.jsonl, as many as fit into 64 kB."""
    file = run.path / "metrics.jsonl"
    if not file.is_file():
        return []
    with file.open("rb") as stream:
        begin = max(0, stream.seek(0, 2) - _TAIL_BYTES)
        stream.seek(begin)
        lines = stream.read().split(b"\n")[:-1]
    return [json.loads(line) for line in lines[1 if begin else 0 :]]


def best_record(run: RunFolder, records: list[Record]) -> Record | None:
    """The record of the best step, or the last one that has scores of it."""
    best = run.result.get("best_step")
    at_best = [r for r in records if r["step"] == best]
    merged: dict[str, Any] = {}
    for record in at_best or records[-1:]:
        merged.update(record)
    return merged or None


def score_table(run: RunFolder, records: list[Record]) -> ScoreTable:
    """Each metric that is scored on held-out data: at the best step, and of the result."""
    found: dict[str, dict[str, float]] = {}
    at_best = best_record(run, records) or {}
    scored = run.result.get("metrics", {})
    for source in (scored, at_best):  # the algorithm's own order first
        for name, value in source.items():
            split, _, metric = name.partition("/")
            if split in _COLUMNS and metric:
                found.setdefault(metric, {}).setdefault(split, value)
    kept = {m: v for m, v in found.items() if set(v) - {"train"}}
    splits = tuple(s for s in _COLUMNS if any(s in v for v in kept.values()))
    return ScoreTable(splits, tuple((m, tuple(v.get(s) for s in splits)) for m, v in kept.items()))


def other_scores(run: RunFolder) -> dict[str, float]:
    """Scores of the result that belong to no split of the data or of the episodes."""
    metrics: dict[str, float] = run.result.get("metrics", {})
    return {k: v for k, v in metrics.items() if k.partition("/")[0] not in _COLUMNS}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
