"""A run's numbers on Ray's metrics endpoint, where Prometheus takes them; when the run uses Ray.

Ray puts `ray_` before each name, and each node's agent serves what that node's processes set. A
process that ends takes its series along, so a finished run stops rather than stays at its last
value. deploy/monitoring/ has the Prometheus and Grafana files that read these names.
"""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from trivium.platform.interrupt import kept_handlers
from trivium.platform.job import Job
from trivium.platform.run import Record, RunFolder

GAUGES: Mapping[str, str] = {
    "trivium_samples_per_s": "Training samples per second since the last report.",
    "trivium_env_steps_per_s": "Environment steps per second since the last report.",
    "trivium_env_steps": "Environment steps so far.",
    "trivium_epoch": "Epochs so far.",
    "trivium_step": "Optimizer steps or updates so far.",
    "trivium_loss": "Loss, by split.",
    "trivium_return_mean": "Mean return of episodes, by split.",
    "trivium_gradient_norm": "Norm of all gradients together.",
    "trivium_learning_rate": "Learning rate of the optimizer.",
}
"""Name -> what it is; every series carries the labels run and job."""
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Bounds of the histogram of checkpoint times."""


class RayTracker:
    """Sets Ray's metrics; does nothing in a process that has no Ray when the run first reports."""

    def __init__(self, run: RunFolder, job: Job) -> None:
        self._tags = {"run": _ascii(run.id), "job": _ascii(job.name)}
        self._is_resumed = (run.path / "metrics.jsonl").is_file()
        self._gauges: dict[str, Any] = {}
        self._checkpoints: Any = None
        self._has_failed = False

    def report(self, record: Record) -> None:
        """Set the gauges that the record has values for."""
        if not self._is_ready():
            return
        for name, (split, value) in found_in(record).items():
            gauge = name.partition("{")[0]
            self._gauges[gauge].set(value, tags=self._tags | ({"split": split} if split else {}))

    def saved(self, step: int, seconds: float) -> None:
        """Count a checkpoint and how long it took to write."""
        if self._is_ready():
            self._checkpoints.observe(seconds, tags=self._tags)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Nothing: reports come often enough for a scrape."""

    def say(self, text: str) -> None:
        """Nothing: sentences are in log.txt."""

    def close(self) -> None:
        """Nothing: Ray's agent has what was set."""

    def finish(self, run: RunFolder) -> None:
        """Nothing: the series end with this process."""

    def _is_ready(self) -> bool:
        if self._gauges or self._has_failed:
            return not self._has_failed
        try:
            if not _has_ray():
                return False
            self._make()
        except Exception as error:  # a run is worth more than its dashboard
            print(f"no metrics on Ray's endpoint: {type(error).__name__}: {error}")
            self._has_failed = True
        return not self._has_failed

    def _make(self) -> None:
        from ray.util.metrics import Counter, Gauge, Histogram

        tags = tuple(self._tags)
        for name, purpose in GAUGES.items():
            own = ("split",) if name in SPLIT else ()
            self._gauges[name] = Gauge(name, purpose, tag_keys=(*tags, *own))
        self._checkpoints = Histogram(
            "trivium_checkpoint_seconds",
            "Time to write a checkpoint.",
            boundaries=list(SECONDS),
            tag_keys=tags,
        )
        restarts = Counter("trivium_restarts", "Times that a run went on anew.", tag_keys=tags)
        if self._is_resumed:
            restarts.inc(1, tags=self._tags)


SPLIT = ("trivium_loss", "trivium_return_mean")
_WITHOUT_SPLIT = {
    "samples_per_s": "trivium_samples_per_s",
    "env_steps_per_s": "trivium_env_steps_per_s",
    "env_steps": "trivium_env_steps",
    "epoch": "trivium_epoch",
    "step": "trivium_step",
    "train/gradient_norm": "trivium_gradient_norm",
    "train/lr": "trivium_learning_rate",
    "lr": "trivium_learning_rate",
}


def found_in(record: Record) -> dict[str, tuple[str, float]]:
    """Series that a record has values for: name (a split behind it in braces) -> split, value."""
    found: dict[str, tuple[str, float]] = {}
    for key, value in record.items():
        if not isinstance(value, int | float):
            continue  # null stands for a value that is not finite
        split, _, metric = key.rpartition("/")
        if key in _WITHOUT_SPLIT:
            found[_WITHOUT_SPLIT[key]] = ("", float(value))
        elif split and metric in ("loss", "return_mean"):
            found[f"trivium_{metric}{{{split}}}"] = (split, float(value))
    return found


def _has_ray() -> bool:
    """This process is part of a Ray, or was submitted to one and joins it now for its metrics."""
    if "ray" not in sys.modules and "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
        return False
    import ray

    if ray.is_initialized():
        return True
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
        return False
    with kept_handlers():
        ray.init(
            address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level=logging.ERROR
        )
    return True


def _ascii(text: str) -> str:
    """Ray's metrics take no other letters: a name of others is told by their code points."""
    return text.encode("ascii", "backslashreplace").decode()
