"""A run in MLflow: parameters, metrics, tags, status and small files.

A thread of its own talks to MLflow, so that a slow or dead server (its client retries for
minutes) never holds up training: the first failure is said once and ends the tracking only.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.platform.curves import PLACE
from trivium.platform.flatten import flatten
from trivium.platform.job import Job
from trivium.platform.redact import redact
from trivium.platform.run import Record, RunFolder, read_json, write_json
from trivium.platform.settings import dump

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_ARTIFACTS = ("job.yaml", "run.json", "result.json", "report.html")
_MAX_BATCH = 1000  # MLflow's limits for one call, and for the length of a parameter
_MAX_PARAMS = 100
_MAX_TEXT = 6000
_BATCH_INTERVAL_S = 1.0


class MlflowTracker:
    """Listens to a run and logs it under one MLflow run, the same one again after a resume."""

    def __init__(
        self,
        run: RunFolder,
        job: Job,
        uri: str,
        say: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
        patience_s: float = 20.0,
    ) -> None:
        self._run = run
        self._job = job
        self._uri = uri
        self._say = say
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._is_ending = threading.Event()
        self._has_failed = False
        self._thread: threading.Thread | None = None

    def report(self, record: Record) -> None:
        """Hand the record to the thread."""
        if self._has_failed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
            self._thread.start()
        self._queue.put(record)

    def progress(self, done: float, total: int, unit: str) -> None:
        """Nothing: MLflow has no bar."""

    def say(self, text: str) -> None:
        """Nothing: sentences are in log.txt."""

    def close(self) -> None:
        """Send what is waiting without delay."""
        self._is_ending.set()

    def finish(self, run: RunFolder) -> None:
        """Log status, scores and files; wait for MLflow, but not for long."""
        if self._thread is None:
            return
        self._run = run
        self._is_ending.set()
        self._queue.put(None)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            self._fail(f"has not answered for {self._patience_s:g} s")

    def _work(self) -> None:
        try:
            client, run_id = self._open()
            is_over = False
            while not is_over:
                records, is_over = self._next_batch()
                self._log_metrics(client, run_id, records)
                self._is_ending.wait(_BATCH_INTERVAL_S)
            self._end(client, run_id)
        except Exception as error:  # whatever it is, it must not reach the training
            self._fail(f"failed ({type(error).__name__}: {str(error).splitlines()[0][:200]})")

    def _fail(self, what: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._say(
                f"warning: MLflow at {redact(self._uri)} {redact(what)}; the run is no "
                "longer tracked there (its folder has everything)"
            )

    def _next_batch(self) -> tuple[list[Record], bool]:
        """What is waiting (at least one record), and whether the end is among it."""
        records: list[Record] = []
        item = self._queue.get()
        while item is not None:
            records.append(item)
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return records, False
        return records, True

    def _open(self) -> "tuple[MlflowClient, str]":
        client = _client(self._uri)
        file = self._run.path / "mlflow.json"
        known: Mapping[str, str] = read_json(file) if file.is_file() else {}
        if known.get("uri") == redact(self._uri):
            client.update_run(known["run_id"], status="RUNNING")
            return client, known["run_id"]
        experiment_id = _experiment(
            client, self._uri, self._job.tracking.experiment or self._job.name
        )
        info = self._run.info
        run_id: str = client.create_run(
            experiment_id,
            start_time=_milliseconds(info["started"]),
            run_name=self._run.id,
            tags=_tags(self._run),
        ).info.run_id
        place = {"uri": redact(self._uri), "experiment_id": experiment_id, "run_id": run_id}
        write_json(file, place)
        self._log_params(client, run_id)
        return client, run_id

    def _log_params(self, client: "MlflowClient", run_id: str) -> None:
        from mlflow.entities import Param

        flat = flatten(dump(self._job))
        params = [Param(k, _text(v)[:_MAX_TEXT]) for k, v in flat.items()]
        for begin in range(0, len(params), _MAX_PARAMS):
            client.log_batch(run_id, params=params[begin : begin + _MAX_PARAMS])

    def _log_metrics(self, client: "MlflowClient", run_id: str, records: list[Record]) -> None:
        from mlflow.entities import Metric

        start_ms = _milliseconds(self._run.info["started"])
        metrics = [
            Metric(name, value, int(start_ms + 1000 * r["time_s"]), r.get("env_steps", r["step"]))
            for r in records
            for name, value in r.items()
            if name not in PLACE and value is not None
        ]
        for begin in range(0, len(metrics), _MAX_BATCH):
            client.log_batch(run_id, metrics=metrics[begin : begin + _MAX_BATCH])

    def _end(self, client: "MlflowClient", run_id: str) -> None:
        from mlflow.entities import RunTag

        best_step = self._run.result.get("best_step") or 0
        ended = self._run.info.get("ended")
        scores = {"step": best_step, "time_s": 0.0} | self._run.result.get("metrics", {})
        self._log_metrics(client, run_id, [scores])
        client.log_batch(run_id, tags=[RunTag(k, v) for k, v in _tags(self._run).items()])
        for name in _ARTIFACTS:
            if (self._run.path / name).is_file():
                client.log_artifact(run_id, str(self._run.path / name))
        end_ms = _milliseconds(ended) if ended else None
        client.set_terminated(run_id, _STATUS.get(self._run.status, "FAILED"), end_ms)


def _client(uri: str) -> "MlflowClient":
    import logging

    # A training job reports to whom its owner names, and to nobody else.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # they narrate how they set up their tables
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """Id of the experiment, made when there is none."""
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    location = None
    if uri.startswith("sqlite:///"):  # the default is a folder mlruns wherever the job runs
        database = Path(uri.removeprefix("sqlite:///").partition("?")[0]).resolve()
        location = (database.parent / "mlflow-artifacts" / name).as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _tags(run: RunFolder) -> dict[str, str]:
    info = run.info
    git = info.get("git") or {}
    tags = {
        "trivium.run": run.id,
        "trivium.folder": str(run.path.resolve()),
        "trivium.parent": info.get("parent"),
        "trivium.dataset_fingerprint": info.get("dataset_fingerprint"),
        "trivium.error": (info.get("error") or "")[:_MAX_TEXT] or None,
        "mlflow.source.name": info.get("command"),
        "mlflow.source.git.commit": git.get("commit"),
        "trivium.git_dirty": str(git["dirty"]).lower() if git else None,
    }
    return {k: v for k, v in tags.items() if v is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _milliseconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1000)
