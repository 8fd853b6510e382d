"""A live head on this machine: free ports, a folder and a token of its own, ended by its pids."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

START_S = 300


@dataclass(frozen=True)
class Head:
    """A running cluster of one node."""

    address: str
    gcs_address: str
    token: str
    environment: dict[str, str]
    """What its clients need."""


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head with four CPUs; one for each module of tests."""
    folder = Path(tempfile.mkdtemp(prefix="trivium-test-", dir="/tmp"))  # short: sockets' paths are
    token = secrets.token_hex(16)
    gcs, dashboard, agent, grpc, metrics, client = free_ports(6)
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    own["RAY_DASHBOARD_STARTUP_TIMEOUT_S"] = str(START_S)  # a busy machine takes its time
    own["RAY_worker_niceness"] = "0"  # and stock workers would give way to all else on it
    base = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    # `ray start` does not work from an environment whose path has a space.
    (folder / "environment").symlink_to(sys.prefix)
    programs = folder / "environment" / "bin"
    # Jobs call plain `python` and `trivium`, as they do in an image.
    base["PATH"] = f"{programs}:{base['PATH']}"
    command = [
        *(str(programs / "python"), "-c", "from ray.scripts.scripts import main; main()", "start"),
        *("--head", "--block", "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
        *(f"--port={gcs}", f"--dashboard-port={dashboard}", f"--metrics-export-port={metrics}"),
        *(f"--dashboard-agent-listen-port={agent}", f"--dashboard-agent-grpc-port={grpc}"),
        *(f"--ray-client-server-port={client}", "--num-cpus=4", f"--temp-dir={folder}"),
        f"--object-store-memory={100 * 2**20}",
    ]
    with (folder / "head.log").open("w") as log:
        process = subprocess.Popen(
            command, env=base | own, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        wait_until_it_answers(address, token, process, folder / "head.log")
        yield Head(address, f"127.0.0.1:{gcs}", token, base | own)
    finally:
        process.send_signal(signal.SIGTERM)  # ends the processes that it started, and only those
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_it_answers(
    address: str, token: str, process: subprocess.Popen[bytes], log: Path
) -> None:
    request = urllib.request.Request(
        f"{address}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"}
    )
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                if b'"ALIVE"' in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("the head did not answer")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
