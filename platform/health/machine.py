"""What the machine has: cores, memory, disks, and traps in its environment."""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from trivium.platform.health.check import Check
from trivium.platform.phrasing import plural, size

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GB = 1e9


def cores_and_memory() -> Iterator[Check]:
    """What this process may use, which a container limits."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _cpu_quota()
    limited = f", of which the container allows {quota:g}" if quota and quota < cores else ""
    yield Check("cores", "ok", f"{plural(cores, 'core')}{limited}")
    total, free = _memory()
    if total is None or free is None:
        return
    sentence = f"{size(free)} free of {size(total)}"
    if free < 1 * _GB:
        yield Check("memory", "warn", sentence, "torch and Ray alone take about 1 GB: free some")
    else:
        yield Check("memory", "ok", sentence)


def folder(name: str, path: Path, alternative: str) -> Check:
    """Whether a folder can be written (or made), and the room on its disk."""
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    where = f"{path}" if path.exists() else f"{path} (will be made)"
    if path.exists() and not path.is_dir():
        return Check(name, "fail", f"{path} is a file, not a folder", alternative)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Check(name, "fail", f"{where} cannot be written: {error.strerror}", alternative)
    free = shutil.disk_usage(existing).free
    if free < 0.2 * _GB:
        return Check(
            name, "fail", f"{where}: only {size(free)} free", f"make room, or {alternative}"
        )
    if free < 2 * _GB:
        return Check(name, "warn", f"{where}: {size(free)} free", f"make room, or {alternative}")
    return Check(name, "ok", f"{where}: writable, {size(free)} free")


def shared_memory(path: Path = Path("/dev/shm")) -> Iterator[Check]:
    """Ray keeps its objects there; a container's default of 64 MB sends them to the disk."""
    if not path.is_dir():
        return
    usage = shutil.disk_usage(path)
    sentence = f"{path}: {size(usage.free)} free of {size(usage.total)}"
    if usage.free < 1 * _GB:
        remedy = "for jobs on Ray start the container with --shm-size=2g or more"
        yield Check("shared memory", "warn", sentence, remedy)
    else:
        yield Check("shared memory", "ok", sentence)


def threads(environment: Mapping[str, str]) -> Iterator[Check]:
    """Variables that decide how many threads numerical libraries start."""
    found = {name: environment[name] for name in _THREAD_VARIABLES if environment.get(name)}
    if not found:
        yield Check("threads", "ok", "no thread variables set: workers share the cores out")
        return
    said = ", ".join(f"{k}={v}" for k, v in found.items())
    cores = os.cpu_count() or 1
    counts = [int(v) for v in found.values() if v.isdigit()]
    remedy = f"unset {' '.join(found)}"
    if len(counts) < len(found):
        yield Check("threads", "warn", f"{said}: not a number", remedy)
    elif max(counts) > cores:
        yield Check("threads", "warn", f"{said}, but there are {plural(cores, 'core')}", remedy)
    elif min(counts) < cores:
        sentence = f"{said}: training in one process leaves {plural(cores, 'core')} partly idle"
        yield Check("threads", "warn", sentence, remedy)
    else:
        yield Check("threads", "ok", said)


def ray_cluster(environment: Mapping[str, str]) -> Iterator[Check]:
    """A cluster that a bare `ray.init()` would join: Ray does so silently, Trivium never."""
    address = environment.get("RAY_ADDRESS")
    if address:
        yield Check(
            "ray cluster", "warn",
            f"RAY_ADDRESS={address}: jobs with several workers run there, not on this machine",
            "unset RAY_ADDRESS to stay local",
        )  # fmt: skip
        return
    address = _last_cluster(Path(environment.get("RAY_TMPDIR", "/tmp")) / "ray")
    if address is None:
        yield Check("ray cluster", "ok", "none runs here that a script could join by accident")
        return
    yield Check(
        "ray cluster", "warn",
        f"one runs at {address}; a script's bare ray.init() joins it, Trivium only when told",
        f"to use it: RAY_ADDRESS={address}; to be rid of it: ray stop",
    )  # fmt: skip


def _last_cluster(folder: Path) -> str | None:
    """The address that `ray start` left behind, when something still listens there."""
    with contextlib.suppress(OSError, ValueError):
        address = (folder / "ray_current_cluster").read_text().strip()
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.3):
            return address
    return None


def _memory() -> tuple[float | None, float | None]:
    """Bytes of memory: all, and free; the container's share where it has a limit."""
    lines: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            lines[name] = 1024 * float(rest.split()[0])
    total, free = lines.get("MemTotal"), lines.get("MemAvailable")
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = float((group / "memory.max").read_text())  # the text max is no number: no limit
        used = float((group / "memory.current").read_text())
        if total is not None and free is not None and limit < total:
            return limit, min(free, limit - used)
    return total, free


def _cpu_quota() -> float | None:
    """Cores that the container may use, None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return float(quota) / float(period)
    return None
