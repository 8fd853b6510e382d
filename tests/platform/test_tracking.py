import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import Job, Tracking
from trivium.platform.mlflow_tracker import MlflowTracker
from trivium.platform.run import RunFolder, write_json
from trivium.platform.tensorboard_tracker import TensorBoardTracker
from trivium.platform.tracking import check_tracking, finish_tracking, trackers

RECORDS = [
    {"step": 10 * i, "epoch": i, "time_s": float(i), "train/loss": 1.0 / i, "validation/loss": None}
    for i in (1, 2, 3)
]
RESULT = {"metrics": {"test/accuracy": 0.97}, "best_step": 20}


@pytest.fixture(autouse=True)
def no_server_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def end(run: RunFolder, status: str = "finished", error: str | None = None) -> RunFolder:
    """The run as it is on disk when it is over."""
    info = run.info | {"status": status, "error": error, "ended": "2026-03-01T10:01:12.500Z"}
    write_json(run.path / "run.json", info)
    if status == "finished":
        write_json(run.path / "result.json", RESULT)
        (run.path / "report.html").write_text("<p>report</p>")
    return RunFolder(run.path)


def job_with(uri: str | None, **more: Any) -> Job:
    return Job(name="digits-cnn", tracking=Tracking(mlflow=uri, **more))


class TestTensorBoard:
    def events(self, run: RunFolder) -> Any:
        accumulator = pytest.importorskip(
            "tensorboard.backend.event_processing.event_accumulator"
        ).EventAccumulator(str(run.path / "tensorboard"))
        return accumulator.Reload()

    def test_curves_final_scores_and_settings_are_written(self, make_run: Any) -> None:
        run = make_run(status="running")
        tracked = trackers(run, job_with(None))
        for tracker in tracked:
            for record in RECORDS:
                tracker.report(record)
            tracker.close()
        finish_tracking(tracked, end(run))
        events = self.events(run)
        assert set(events.Tags()["scalars"]) == {"train/loss", "test/accuracy"}
        losses = [(e.step, round(e.value, 4)) for e in events.Scalars("train/loss")]
        assert losses == [(10, 1.0), (20, 0.5), (30, 0.3333)]
        start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        assert b"resources.num_workers" in start and b"digits-cnn" in start

    def test_a_trial_stopped_early_shows_what_was_searched_and_its_last_values(
        self, make_run: Any
    ) -> None:
        run = make_run(status="running")
        settings = {"algorithm.lr": 0.01, "model.hidden": [16, 8]}
        write_json(run.path / "run.json", run.info | {"tune": {"trial": 3, "settings": settings}})
        run = RunFolder(run.path)
        tracker = TensorBoardTracker(run, job_with(None))
        for record in RECORDS:
            tracker.report(record)
        tracker.finish(end(run, "stopped", "stopped early by asha"))
        plugin = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
        events, said = self.events(run), plugin.HParamsPluginData()
        said.ParseFromString(
            events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        )
        assert set(said.session_start_info.hparams) == {"algorithm.lr", "model.hidden"}
        assert said.session_start_info.hparams["model.hidden"].string_value == "[16, 8]"
        # Another trial may have other settings, so this one does not say which there are.
        with pytest.raises(KeyError):
            events.SummaryMetadata("_hparams_/experiment")
        assert events.Tags()["scalars"] == ["train/loss"]

    def test_steps_are_environment_steps_in_reinforcement_learning(self, make_run: Any) -> None:
        run = make_run(status="running")
        tracker = TensorBoardTracker(run, job_with(None))
        record = {"step": 1, "env_steps": 2048, "time_s": 0.1, "episode/return_mean": 20.0}
        tracker.report(record)
        tracker.close()
        assert self.events(run).Scalars("episode/return_mean")[0].step == 2048
        tracker.finish(end(run))

    def test_after_a_resume_points_are_not_there_twice(self, make_run: Any) -> None:
        run = make_run(status="running")
        for records in (RECORDS, RECORDS[1:]):  # killed at 30, resumed from the state of step 10
            tracker = TensorBoardTracker(run, job_with(None))
            for record in records:
                tracker.report(record)
            tracker.finish(run)
        assert [e.step for e in self.events(run).Scalars("train/loss")] == [10, 20, 30]

    def test_a_run_that_reports_nothing_makes_no_file(self, make_run: Any) -> None:
        run = make_run(status="running")
        tracked = trackers(run, job_with(None))
        finish_tracking(tracked, end(run, "failed", "ValueError: x"))
        assert not (run.path / "tensorboard").exists()


class TestWhatIsAskedFor:
    def test_the_job_goes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check_tracking(job_with(None)) is None
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///a.db")
        assert check_tracking(job_with(None)) == "sqlite:///a.db"
        assert check_tracking(job_with("sqlite:///b.db")) == "sqlite:///b.db"

    def test_without_mlflow_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "importlib.util.find_spec", lambda name: None if name == "mlflow" else "found"
        )
        with pytest.raises(UserError) as caught:
            check_tracking(job_with("sqlite:///mlflow.db"))
        assert str(caught.value) == (
            "tracking.mlflow: sqlite:///mlflow.db: needs mlflow, not installed here: "
            'pip install "trivium[tracking]"'
        )

    def test_a_plain_folder_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
        with pytest.raises(UserError) as caught:
            check_tracking(job_with(None))
        assert str(caught.value) == (
            "MLFLOW_TRACKING_URI=./mlruns: MLflow no longer writes to a plain folder; use a file "
            "of SQLite (sqlite:///mlflow.db) or a server (https://HOST)"
        )

    def test_nothing_heavy_is_imported_before_the_first_record(self, make_run: Any) -> None:
        before = {m for m in ("mlflow", "tensorboardX") if m in sys.modules}
        trackers(make_run(), job_with("sqlite:///mlflow.db"))
        assert {m for m in ("mlflow", "tensorboardX") if m in sys.modules} == before


class TestMlflow:
    def test_a_run_is_logged_whole_and_resumed_as_the_same(
        self, make_run: Any, tmp_path: Path
    ) -> None:
        uri = f"sqlite:///{tmp_path}/mlflow.db"
        run = make_run("digits-cnn-7", status="running", parent="digits-cnn-6")
        for records, status in ((RECORDS[:2], "stopped"), (RECORDS[2:], "finished")):
            tracker = MlflowTracker(run, job_with(uri), uri, patience_s=120)
            for record in records:
                tracker.report(record)
            tracker.close()
            tracker.finish(end(run, status))

        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("digits-cnn")
        (logged,) = client.search_runs([experiment.experiment_id])
        assert (logged.info.status, logged.info.run_name) == ("FINISHED", "digits-cnn-7")
        assert logged.data.params["resources.num_workers"] == "1"
        assert logged.data.params["tracking.mlflow"] == uri
        assert logged.data.metrics == {"train/loss": 1.0 / 3, "test/accuracy": 0.97}
        history = client.get_metric_history(logged.info.run_id, "train/loss")
        assert [(m.step, m.value) for m in history] == [(10, 1.0), (20, 0.5), (30, 1.0 / 3)]
        assert history[1].timestamp - logged.info.start_time == 2_000
        tags = logged.data.tags
        assert tags["trivium.run"] == "digits-cnn-7"
        assert tags["trivium.parent"] == "digits-cnn-6"
        assert tags["trivium.dataset_fingerprint"] == "5f2c9a1b"
        assert tags["mlflow.source.git.commit"] == "0123456789abcdef0123456789abcdef01234567"
        files = {f.path for f in client.list_artifacts(logged.info.run_id)}
        assert files == {"job.yaml", "run.json", "result.json", "report.html"}
        assert not Path("mlruns").exists()  # MLflow's own default, wherever the job runs

    def test_a_server_that_dies_ends_the_tracking_only(
        self, make_run: Any, dying_server: str
    ) -> None:
        said: list[str] = []
        run = make_run(status="running")
        tracker = MlflowTracker(run, job_with(dying_server), dying_server, said.append)
        tracker.report(RECORDS[0])
        deadline = time.monotonic() + 60
        while not said and time.monotonic() < deadline:
            time.sleep(0.02)
        for record in RECORDS[1:]:
            tracker.report(record)
        tracker.close()
        tracker.finish(end(run))
        assert said == [
            f"warning: MLflow at {dying_server} failed (RestException: PERMISSION_DENIED: gone); "
            f"the run is no longer tracked there (its folder has everything)"
        ]

    def test_a_server_that_never_answers_is_not_waited_for(
        self, make_run: Any, silent_server: str
    ) -> None:
        said: list[str] = []
        run = make_run(status="running")
        tracker = MlflowTracker(
            run, job_with(silent_server), silent_server, said.append, patience_s=0.2
        )
        tracker.report(RECORDS[0])
        tracker.close()
        tracker.finish(end(run))
        assert said == [
            f"warning: MLflow at {silent_server} has not answered for 0.2 s; "
            f"the run is no longer tracked there (its folder has everything)"
        ]


@pytest.fixture
def dying_server() -> Iterator[str]:
    """A tracking server that refuses everything."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"error_code": "PERMISSION_DENIED", "message": "gone"}).encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    yield from serve(Refuse)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes a request and says nothing."""
    over = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait(30)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    for address in serve(Silent):
        yield address
        over.set()


def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
