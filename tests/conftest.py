"""What all tests share: a cache of prepared data for the session, a way to type commands."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

TRIVIUM = [sys.executable, "-m", "trivium.platform.cli"]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Prepared data sets go to a folder of this session, not to the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("TRIVIUM_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.delenv("RAY_ADDRESS", raising=False)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    patch.undo()


@dataclass(frozen=True)
class Typed:
    """What a typed command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Type = Callable[..., Typed]


@pytest.fixture(autouse=True)
def no_job_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative files are looked for in the folders of the jobs of one test, not of all before."""
    monkeypatch.setattr("trivium.platform.registry._FOLDERS", [])


@pytest.fixture
def type_command(capsys: pytest.CaptureFixture[str]) -> Type:
    """Run `trivium WORDS` in this process."""
    from trivium.platform.cli import main

    def run(*words: object) -> Typed:
        capsys.readouterr()
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        printed = capsys.readouterr()
        return Typed(code, printed.out, printed.err)

    return run


@pytest.fixture
def start_command() -> Callable[..., subprocess.Popen[str]]:
    """Start `trivium WORDS` as a process of its own, to be killed or interrupted."""

    def start(*words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*TRIVIUM, *map(str, words)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start
