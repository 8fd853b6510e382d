"""A cloud's notice, as its metadata service gives it, becomes notice to Ray's node."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ray.core.generated.autoscaler_pb2 import NodeStatus

from trivium.platform.cluster import spot
from trivium.platform.cluster.spot import Amazon, Google, watch

TOKEN = "a token of the metadata service"


class Metadata:
    """Both clouds' services on one port; `notice` and `preempted` are what they tell."""

    def __init__(self) -> None:
        self.notice: str | None = None
        self.preempted = "FALSE"
        self.is_amazon = True
        self.asked: list[tuple[str, str]] = []

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, str]:
        self.asked.append((method, path))
        if path == "/computeMetadata/v1/instance/preempted":
            is_right = headers["Metadata-Flavor"] == "Google" and not self.is_amazon
            return (200, self.preempted) if is_right else (404, "")
        if not self.is_amazon:
            return 404, ""
        if (method, path) == ("PUT", "/latest/api/token"):
            return 200, TOKEN
        if headers["X-aws-ec2-metadata-token"] != TOKEN:
            return 401, ""
        assert path == "/latest/meta-data/spot/instance-action"
        return (404, "") if self.notice is None else (200, self.notice)


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    service = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say("GET")

        def do_PUT(self) -> None:
            self._say("PUT")

        def _say(self, method: str) -> None:
            code, text = service.answer(method, self.path, self.headers)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{place}/")
    monkeypatch.setenv("GCE_METADATA_HOST", place)
    monkeypatch.setattr(spot, "INTERVAL_S", 0.05)
    yield service
    server.shutdown()
    server.server_close()


def in_seconds(seconds: float) -> str:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return json.dumps({"action": "terminate", "time": end.strftime("%Y-%m-%dT%H:%M:%SZ")})


def later(act: Callable[[], None]) -> None:
    threading.Timer(0.3, act).start()


def test_amazon_tells_when(metadata: Metadata) -> None:
    told: list[tuple[str, float]] = []
    later(lambda: setattr(metadata, "notice", in_seconds(120)))
    said = watch([Amazon(), Google()], lambda *notice: told.append(notice))
    [(cloud, seconds)] = told
    assert cloud == "Amazon"
    assert 115 < seconds <= 120
    assert said == f"Amazon takes this machine back in {seconds:.0f} s: its node has notice"
    assert [m for m, _ in metadata.asked].count("PUT") == 1, "a token lasts for many questions"
    assert len(metadata.asked) > 3


def test_what_ray_does_not_hear_is_told_again(metadata: Metadata, capsys: Any) -> None:
    metadata.notice = in_seconds(120)
    tries: list[str] = []

    def tell(cloud: str, _seconds: float) -> None:
        tries.append(cloud)
        if len(tries) < 3:
            raise RuntimeError("no node of the cluster is at 10.0.0.1")

    assert watch([Amazon()], tell).endswith(" s: its node has notice")
    assert tries == ["Amazon"] * 3
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[0].endswith(" s, which Ray does not hear: no node of the cluster is at 10.0.0.1")


def test_google_tells_that(metadata: Metadata) -> None:
    metadata.is_amazon = False
    told: list[tuple[str, float]] = []
    later(lambda: setattr(metadata, "preempted", "TRUE"))
    watch([Amazon(), Google()], lambda *notice: told.append(notice))
    assert told == [("Google", 30.0)]


def test_where_there_is_no_cloud_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spot, "PATIENCE_S", 0.2)
    monkeypatch.setattr(spot, "INTERVAL_S", 0.05)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    said = watch([Amazon(), Google()], lambda *_: pytest.fail("there was no notice"))
    assert said == "no cloud's metadata service answers here: there is nothing to watch"


@pytest.mark.timeout(600)
def test_rays_node_drains_and_being_idle_ends(head: Any, metadata: Metadata) -> None:
    metadata.notice = in_seconds(600)
    names = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "GCE_METADATA_HOST")
    own = {n: os.environ[n] for n in names} | {"RAY_ADDRESS": head.gcs_address}
    done = subprocess.run(
        [sys.executable, "-m", "trivium.platform.cluster.spot"],
        env=head.environment | own,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Amazon takes this machine back in ")
    looks = (
        "from ray._raylet import GcsClient; from ray.autoscaler.v2.sdk import *;"
        f"found = get_cluster_resource_state(GcsClient(address={head.gcs_address!r}));"
        "print([node.status for node in found.node_states])"
    )
    # With work on it, it would be DRAINING; Ray's own end of it is that of a node that is idle.
    until, statuses = time.monotonic() + 60, ""
    while statuses != f"[{NodeStatus.DEAD}]" and time.monotonic() < until:
        statuses = subprocess.run(
            [sys.executable, "-c", looks],
            env=head.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    assert statuses == f"[{NodeStatus.DEAD}]"
