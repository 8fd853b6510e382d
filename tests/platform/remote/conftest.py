"""A real S3 server for the session, and a door before it that can be shut."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trivium.platform.remote import bucket as bucket_module
from trivium.platform.remote import copies

HERE = Path(__file__).parent
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "testtesttesttest",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class S3:
    """A running server behind its door; `down` and `up` shut and open the door."""

    folder: Path
    server: subprocess.Popen[bytes]
    port: int
    door_port: int = 0
    door: subprocess.Popen[bytes] | None = None
    num_stores: int = field(default=0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.door_port}"}

    def new_store(self) -> str:
        """The URI of an empty store."""
        self.num_stores += 1
        return f"s3://bucket/store-{self.num_stores}/runs"

    def up(self) -> None:
        """Connections reach the server."""
        port_file = self.folder / "door"
        port_file.unlink(missing_ok=True)
        words = ["door.py", port_file, self.door_port, self.port]
        self.door = subprocess.Popen([sys.executable, HERE / words[0], *map(str, words[1:])])
        self.door_port = wait_for_port(port_file)

    def down(self) -> None:
        """The process behind the port is killed: connections are refused."""
        assert self.door is not None
        self.door.kill()
        self.door.wait()

    def fail(self, status: int | None) -> None:
        """Answer every request with this HTTP status; None ends that."""
        file = self.folder / "fault"
        if status is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(str(status))

    def files(self, uri: str) -> dict[str, bytes]:
        """All objects of a store."""
        store = bucket_module.Bucket(uri)
        return {k: store.get(k) or b"" for k in store.files("")}


def wait_for_port(file: Path) -> int:
    """The port that a process which is starting writes to `file`."""
    until = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < until, f"nobody wrote {file}"
        time.sleep(0.05)
    return int(file.read_text())


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    pytest.importorskip("moto", reason="moto[s3] and flask are in the dev extra")
    from pyarrow.fs import S3FileSystem

    folder = tmp_path_factory.mktemp("s3")
    with (folder / "log").open("wb") as log:
        words = [sys.executable, HERE / "s3_server.py", folder / "port", folder / "fault"]
        server = subprocess.Popen([str(w) for w in words], stdout=log, stderr=log)
    s3 = S3(folder, server, wait_for_port(folder / "port"))
    s3.up()
    S3FileSystem(
        access_key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region="us-east-1",
        scheme="http",
        endpoint_override=f"127.0.0.1:{s3.port}",
        allow_bucket_creation=True,
    ).create_dir("bucket")
    yield s3
    s3.down()
    server.kill()
    server.wait()


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The server, up and well, and reached by this process too."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    yield s3_server
    s3_server.fail(None)
    if s3_server.door is not None and s3_server.door.poll() is not None:
        s3_server.up()


Machine = Callable[[str], dict[str, str]]


@pytest.fixture
def trivium() -> Callable[..., str]:
    """`trivium(folder, environment, "train", ...)` in a process of its own: what it printed.

    It has to succeed.
    """

    def run(folder: Path, environment: dict[str, str], *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "trivium.platform.cli", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture
def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """`machine("b")`: from now on this process sees the store as another machine would."""
    prepared = Path(os.environ["TRIVIUM_CACHE"]) / "datasets"

    def use(name: str) -> dict[str, str]:
        cache = tmp_path / f"cache-{name}"
        cache.mkdir(exist_ok=True)
        prepared.mkdir(exist_ok=True, parents=True)
        if not (cache / "datasets").exists():
            (cache / "datasets").symlink_to(prepared)
        monkeypatch.setenv("TRIVIUM_CACHE", str(cache))
        for known in (copies.stores, copies.copies, copies.publishers, copies.tokens):
            known.clear()
        return {"TRIVIUM_CACHE": str(cache)}

    yield use
    use("nobody")
