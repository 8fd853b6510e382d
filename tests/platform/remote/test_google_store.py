"""A store at gs://, on an emulator of Google's server, from one machine to the next."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.remote.bucket import Bucket
from trivium.platform.store import Store

JOB = """\
dataset: {source: breast-cancer}
model: {name: mlp, hidden: [8]}
algorithm: {name: supervised, epochs: 2}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the emulator answers; its bucket is empty."""
    pytest.importorskip("gcp_storage_emulator", reason="it is in the dev extra")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from gcp_storage_emulator.__main__ import main; main()"
    words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=b"]
    server = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until, "the emulator did not answer"
            time.sleep(0.1)


@pytest.fixture
def store(address: str, request: pytest.FixtureRequest) -> str:
    where = f"endpoint_override={address}&scheme=http&retry_limit_seconds=10"
    return f"gs://anonymous@b/{request.node.name}/runs?{where}"


def test_runs_are_listed_read_and_scored_elsewhere(
    store: str, machine: Any, trivium: Any, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    here, there = (dict(os.environ) | machine(name) for name in ("here", "there"))
    for _ in range(2):
        trivium(tmp_path, here, "train", "job.yaml", "--store", store)
    listed = json.loads(trivium(tmp_path, there, "runs", "--json", "--store", store))
    assert [(r["id"], r["status"]) for r in listed] == [
        ("job-2", "finished"),
        ("job-1", "finished"),
    ]
    text = trivium(tmp_path, there, "evaluate", "job-1", "--store", store)
    assert "the scores are those that training recorded" in text


def test_a_folder_is_known_once_it_is_announced(store: str, machine: Any) -> None:
    machine("here")
    bucket = Bucket(store)
    bucket.put("a-1/x", b"1")
    assert bucket.names() == [], "Arrow lists no folders there"
    assert [Store(store).create("b").path.name for _ in range(2)] == ["b-1", "b-2"]
    assert sorted(bucket.names()) == ["b-1", "b-2"]
    assert bucket.files("a-1").keys() == {"x"}
    bucket.delete_folder("a-1")
    assert bucket.get("a-1/x") is None
