"""What machine figures come from: cores, processor, memory, versions. No name of it, no user."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "pyarrow", "ray", "lightning", "gymnasium", "stable-baselines3")


def describe_machine() -> str:
    """One line for a table's caption: `2 cores (Intel Xeon), 24 GB, Linux, Python 3.11.7, ...`."""
    facts = machine()
    torch = facts["versions"].get("torch")
    return (
        f"{facts['cores']} cores ({facts['processor']}), {facts['memory_gb']} GB, "
        f"{facts['system']}, Python {facts['versions']['python']}"
        + (f", torch {torch}" if torch else "")
    )


def machine(peers: Path | None = None) -> dict[str, Any]:
    """The same as data; `peers` is the interpreter of another environment to ask for versions."""
    facts: dict[str, Any] = {
        "cores": num_cores(),
        "processor": _processor(),
        "memory_gb": round(_memory_bytes() / 2**30),
        "system": platform.system(),
        "versions": versions(),
    }
    if peers is not None:
        facts["peer_versions"] = json.loads(
            subprocess.run(
                [str(peers), str(Path(__file__).resolve())],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    return facts


def versions() -> dict[str, str]:
    """Of Python and the packages that figures depend on, in this environment."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float:
    """Processes that ran or waited to run in the last minute; near 0 on a machine at rest."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


@dataclass(frozen=True)
class Took:
    """What a piece of work took."""

    wall_s: float
    cpu_s: float
    """Of its processes, over all threads."""
    others_busy_cores: float | None
    """Cores that other processes kept busy meanwhile; None where the system does not tell."""


class Usage:
    """Measures what child processes take, and how busy others keep the machine meanwhile."""

    def __init__(self) -> None:
        self._began, self._cpu_s, self._busy_s = time.monotonic(), _children_s(), _busy_s()

    def so_far(self) -> Took:
        """Since this was made; children count once they have ended and were waited for."""
        wall_s, cpu_s = time.monotonic() - self._began, _children_s() - self._cpu_s
        if self._busy_s is None or (busy_s := _busy_s()) is None:
            return Took(wall_s, cpu_s, None)
        others = max(0.0, busy_s - self._busy_s - cpu_s) / max(wall_s, 1e-9)
        return Took(wall_s, cpu_s, round(others, 2))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_s() -> float | None:
    """CPU seconds that the whole machine has spent on processes since it started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system = (int(n) for n in stat.read_text().split("\n")[0].split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


if __name__ == "__main__":
    json.dump(versions(), sys.stdout)
