"""Run a command and look from outside at what each of its processes uses, from /proc (Linux)."""

import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import TICKS_PER_S, environment

EVERY_S = 0.25


@dataclass
class Watched:
    """A command that ended well."""

    pid: int
    began_at: float
    """Unix time."""
    seconds: float = 0.0
    samples: list[tuple[float, dict[int, float]]] = field(default_factory=list)
    """Unix time, and CPU seconds so far of each process of the command's tree."""
    memory: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of each process when half of the steps were done; see `_memory`."""

    def cpu_s(self, window: tuple[float, float]) -> dict[int, float]:
        """CPU seconds of each process within the window, as (about) one second's."""
        times = [at for at, _ in self.samples]
        first, last = (min(bisect_left(times, at), len(times) - 1) for at in window)
        (began, before), (ended, after) = self.samples[first], self.samples[last]
        length = max(ended - began, 1e-9)
        return {pid: (used - before.get(pid, used)) / length for pid, used in after.items()}


def run_watched(
    command: Sequence[str], folder: Path, is_time_for_memory: Callable[[], bool]
) -> Watched:
    """Run a command to its end in `folder`.

    Raises:
        SystemExit: it failed; with what it printed.
    """
    log, cache = folder / "output.txt", {"TRIVIUM_CACHE": str(folder / "cache")}
    with log.open("w") as stream:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment() | cache,
        )
        watched, is_over = Watched(process.pid, time.time()), threading.Event()

        def watch() -> None:
            while not is_over.wait(EVERY_S):
                tree = _tree_cpu_s(process.pid)
                watched.samples.append((time.time(), tree))
                if not watched.memory and is_time_for_memory():
                    watched.memory.update(_memories(tree))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        watched.seconds = time.perf_counter() - began
        is_over.set()
        watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-4000:]}")
    return watched


def _tree_cpu_s(root: int) -> dict[int, float]:
    """CPU seconds of a process and its descendants, by pid."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return {pid: s for pid, s in used.items() if _is_within(pid, root, parents)}


def _is_within(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid not in (root, 0, 1) and pid in parents:
        pid = parents[pid]
    return pid == root


def _memories(pids: dict[int, float]) -> dict[int, dict[str, int]]:
    found = {}
    for pid in pids:
        try:
            found[pid] = _memory(pid)
        except (OSError, KeyError):
            continue  # it has ended
    return found


def _memory(pid: int) -> dict[str, int]:
    """Resident bytes of a process, and the same with each shared page counted by its share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    lines = {line.split(":")[0]: line.split() for line in text.splitlines()[1:]}
    return {f"{n.lower()}_bytes": int(lines[n][1]) * 1024 for n in ("Rss", "Pss")}
