"""What a person sees while a run trains: facts first, a line per report, a bar with the time left.

Everything printed also lands in the run's log.txt; the bar is for terminals only.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from trivium.platform.exhibit import Metric
from trivium.platform.run import Record

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Console:
    """A listener that writes for people; `stream` is where lines go (looked up at each line)."""

    def __init__(self, metrics: Sequence[Metric] = (), stream: Callable[[], TextIO] | None = None):
        self._shown = [m.name for m in metrics][:6]
        self._stream = stream or (lambda: sys.stdout)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_bar_s = 0.0
        self._total = 0
        self._has_terminal = stream is None and sys.stderr.isatty()

    def heading(self, text: str) -> None:
        """A line that opens a section."""
        self._line(f"\n== {text} ==")

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Label and sentence, aligned."""
        width = max((len(label) for label, _ in rows), default=0) + 2
        for label, sentence in rows:
            self._line(f"{label:<{width}}{sentence}".rstrip())

    def say(self, text: str) -> None:
        """One sentence."""
        self._line(text)

    def report(self, record: Record) -> None:
        """One line of numbers."""
        self._line(format_record(record, self._shown, self._total))

    def progress(self, done: float, total: int, unit: str) -> None:
        """Move the bar, at most ten times a second."""
        self._total = total
        now = time.monotonic()
        if not self._has_terminal or (now - self._last_bar_s < 0.1 and done < total):
            return
        self._last_bar_s = now
        if self._bar is None:
            self._bar = _new_bar()
            self._task = self._bar.add_task(unit, total=total)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total, refresh=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str) -> None:
        stream = self._stream()
        if self._bar is not None:  # lines scroll above the bar
            self._bar.stop()
            self._bar = None
        stream.write(text + "\n")
        stream.flush()


def format_record(record: Record, shown: Sequence[str], total: int = 0) -> str:
    """`epoch 3/10  train loss 0.1234 accuracy 0.9712  validation loss 0.1201 ...  12.3 s`."""
    if "env_steps" in record:
        head = f"env steps {record['env_steps']:>9,}"
    elif "epoch" in record:
        last = f"/{total}" if total else ""
        head = f"epoch {_number(record['epoch']):>{len(str(total))}}{last}"
    else:
        head = f"step {record['step']:>7,}"
    groups: dict[str, list[str]] = {}
    for name in shown:
        if name in record:
            group, _, metric = name.rpartition("/")
            groups.setdefault(group, []).append(f"{metric} {_number(record[name])}")
    parts = [" ".join(filter(None, (group, *values))) for group, values in groups.items()]
    rates = [
        f"{record[k]:,.0f} {k.removesuffix('_per_s').replace('_', ' ')}/s" for k in _rates(record)
    ]
    return "   ".join([head, *parts, *rates, f"{record['time_s']:.1f} s"])


def final_table(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Rows for the end of a run: one for each metric."""
    return [(name, _number(value)) for name, value in metrics.items()]


def _rates(record: Record) -> list[str]:
    return [k for k in record if k.endswith("_per_s") and record[k] is not None]


def _number(value: object) -> str:
    if value is None:
        return "not finite"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"
    return str(value)


def _new_bar() -> "Progress":
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=RichConsole(file=sys.__stderr__),
        auto_refresh=False,
        transient=True,
    )
