"""Run a subject as a process of its own, and read what its whole tree of processes used."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENVIRONMENT = {
    "RAY_worker_niceness": "0",  # stock workers would give way to whatever else runs here
    "GOMP_SPINCOUNT": "30000",  # what Trivium sets for itself
}
"""The same for every subject."""


@dataclass
class Ran:
    """A process that ended well."""

    seconds: float
    output: str
    began_at: float
    """Unix time."""
    samples: list[tuple[float, float, float]] = field(default_factory=list)
    """Unix time, CPU seconds of the process's tree so far, busy CPU seconds of the machine."""


def trivium(*words: str) -> list[str]:
    """The command line of Trivium."""
    return [sys.executable, "-m", "trivium.platform.cli", *words]


def run(
    command: Sequence[str], folder: Path, sample_s: float | None = None, log: Path | None = None
) -> Ran:
    """Run a command to its end in `folder`; sample its CPU time every `sample_s`.

    Raises:
        SystemExit: it failed; with what it printed.
    """
    log = log or folder / "output.txt"
    samples: list[tuple[float, float, float]] = []
    with log.open("w") as stream:
        began, began_at = time.perf_counter(), time.time()
        process = subprocess.Popen(
            list(command), cwd=folder, stdout=stream, stderr=subprocess.STDOUT, env=environment()
        )
        ended = threading.Event()
        watcher = threading.Thread(target=_sample, args=(process.pid, sample_s, samples, ended))
        if sample_s is not None:
            watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - began
        ended.set()
        if sample_s is not None:
            watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-4000:]}")
    return Ran(seconds, log.read_text(), began_at, samples)


def children_of(sweep: Path) -> list[dict[str, object]]:
    """run.json of each trial of a sweep, by number."""
    folders = [p for p in (sweep / "children").iterdir() if p.name.isdigit()]
    folders.sort(key=lambda p: int(p.name))
    return [json.loads((p / "run.json").read_text()) for p in folders]


def environment() -> dict[str, str]:
    """That of this process, and what is the same for every subject."""
    return {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | ENVIRONMENT


def _sample(
    root: int,
    every_s: float,
    samples: list[tuple[float, float, float]],
    ended: threading.Event,
) -> None:
    while not ended.wait(every_s):
        samples.append((time.time(), tree_cpu_s(root), machine_busy_s()))


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, of all its descendants, and of those that are gone."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15]))  # user, system, and of waited-for children
    total = 0
    for pid, ticks in used.items():
        above = pid
        while above not in (root, 0, 1) and above in parents:
            above = parents[above]
        total += ticks if above == root else 0
    return total / TICKS_PER_S


def machine_busy_s() -> float:
    """CPU seconds that all cores together were not idle since boot, from /proc/stat."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    user, nice, system, _idle, _iowait, irq, softirq, *_ = fields
    return (user + nice + system + irq + softirq) / TICKS_PER_S
