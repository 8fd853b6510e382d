"""`trivium diff A B`: what differs between two runs, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trivium.platform.flatten import flatten
from trivium.platform.phrasing import number
from trivium.platform.run import RunFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text


@dataclass(frozen=True)
class Change:
    """One thing that is not the same: None stands for "not there"."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    a: str
    b: str
    settings: tuple[Change, ...]
    """Settings of the resolved jobs that differ, by dotted path."""
    metrics: tuple[Change, ...]
    """Every score of either, equal or not."""
    data: Change | None
    """The data fingerprints when they differ."""
    code: tuple[Change, ...]
    """Commit, uncommitted changes, versions, host."""


def compare(a: RunFolder, b: RunFolder) -> Comparison:
    """What differs from run `a` to run `b`."""
    return Comparison(
        a.id,
        b.id,
        settings=_changes(flatten(a.job_file.data), flatten(b.job_file.data)),
        metrics=_metrics(a, b),
        data=_data(a, b),
        code=_code(a, b),
    )


def changed_versions(a: RunFolder, b: RunFolder) -> list[str]:
    """What around the job is not the same, as in `torch 2.12.0 -> 2.13.0`."""
    data = _data(a, b)
    changes = (*_code(a, b), *([data] if data else ()))
    return [f"{c.name} {_show(c.a)} -> {_show(c.b)}" for c in changes]


def render_comparison(comparison: Comparison, console: "Console") -> None:
    """Print settings, scores, data and code, each only as far as it differs."""
    from rich.text import Text

    def heading(text: str) -> None:
        console.print(Text(f"\n{text}", style="bold"))

    console.print(Text.assemble((comparison.a, "bold"), " -> ", (comparison.b, "bold")))
    heading("Settings")
    for c in comparison.settings:
        console.print(_arrow(c), soft_wrap=True)
    if not comparison.settings:
        console.print("the same")
    heading("Scores")
    console.print(_score_table(comparison) if comparison.metrics else "neither has scores yet")
    heading("Data")
    console.print(_arrow(comparison.data) if comparison.data else "the same", soft_wrap=True)
    heading("Code")
    for c in comparison.code:
        console.print(_arrow(c), soft_wrap=True)
    if not comparison.code:
        console.print("the same commit and versions")


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    """Entries that differ; one that is missing and one that is null are the same."""
    return tuple(
        Change(n, a.get(n), b.get(n)) for n in dict.fromkeys([*a, *b]) if a.get(n) != b.get(n)
    )


def _metrics(a: RunFolder, b: RunFolder) -> tuple[Change, ...]:
    first, second = a.result.get("metrics", {}), b.result.get("metrics", {})
    names = dict.fromkeys([*first, *second])
    return tuple(Change(n, first.get(n), second.get(n)) for n in names)


def _data(a: RunFolder, b: RunFolder) -> Change | None:
    first, second = (r.info.get("dataset_fingerprint") for r in (a, b))
    return Change("fingerprint", first, second) if first != second else None


def _code(a: RunFolder, b: RunFolder) -> tuple[Change, ...]:
    def facts(run: RunFolder) -> dict[str, Any]:
        git = run.info.get("git") or {}
        return {
            "commit": str(git["commit"])[:12] if git.get("commit") else None,
            "uncommitted changes": git.get("dirty"),
            **(run.info.get("versions") or {}),
            "host": run.info.get("host"),
        }

    return _changes(facts(a), facts(b))


def _arrow(change: Change) -> "Text":
    from rich.text import Text

    return Text.assemble(
        f"{change.name}: ", (_show(change.a), "red"), " -> ", (_show(change.b), "green")
    )


def _score_table(comparison: Comparison) -> "RichTable":
    from trivium.platform.exhibit_text import grid

    rows = [(c.name, _cell(c.a), _cell(c.b), _difference(c.a, c.b)) for c in comparison.metrics]
    return grid(("", comparison.a, comparison.b, "difference"), rows, numeric=(1, 2, 3))


def _cell(value: float | None) -> float | str:
    return "-" if value is None else float(value)


def _difference(a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return ""
    return "0" if a == b else f"{'+' if b > a else '-'}{number(abs(float(b) - float(a)))}"


def _show(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
