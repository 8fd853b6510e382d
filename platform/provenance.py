"""Where a run came from: command, commit, versions, machine. Written into run.json."""

import json
import os
import shlex
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trivium.platform.redact import redact
from trivium.platform.run import process_started, utc_now

_PACKAGES = ("trivium", "torch", "numpy", "pyarrow", "scikit-learn", "ray", "gymnasium", "optuna")


def describe(kind: str, name: str, seed: int, base: Path, parent: str | None) -> dict[str, Any]:
    """The first content of run.json of a run that is about to start."""
    ray = _submitted()
    return {
        "id": "",
        "name": name,
        "kind": kind,
        "status": "pending",
        "started": utc_now(),
        "ended": None,
        "command": redact(shlex.join(["trivium", *sys.argv[1:]])),
        "seed": seed,
        "parent": parent,
        "git": ray["from"].get("git") if ray else git_state(base),
        "versions": versions(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        "base": str(base),
        "ray": ray,
        "dataset_fingerprint": None,
        "error": None,
    }


def _submitted() -> dict[str, Any] | None:
    """The job of a Ray cluster that this process is the command of, and where it was submitted."""
    config = os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR")
    if config is None:
        return None
    metadata = json.loads(config).get("metadata") or {}
    return {
        "address": os.environ.get("RAY_ADDRESS"),
        "job_id": metadata.get("job_submission_id"),
        "from": json.loads(metadata.get("trivium_from") or "{}"),
    }


def versions() -> dict[str, str]:
    """Python's version and those of the packages that numbers depend on."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that `folder` is in, and whether it has changes; None outside one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "-uno"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
