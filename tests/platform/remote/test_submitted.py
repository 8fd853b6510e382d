"""Jobs of a cluster whose runs go to a remote store: what `submit` prints is found from here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TRIVIUM = [sys.executable, "-m", "trivium.platform.cli"]
JOB = """\
env: {id: CartPole-v1, num_envs: 16}
model: {name: mlp, hidden: [16]}
algorithm: {name: ppo, rollout_steps: 32}
stop: {env_steps: 2000}
evaluation: {interval_env_steps: 1000, episodes: 4}
"""
pytestmark = pytest.mark.timeout(900)  # on a busy machine each job takes minutes


class Project:
    """A folder with a job, and a cluster of its own that reaches the store."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self._environment = folder, environment

    def trivium(self, *words: str) -> str:
        """What the command printed, without its columns; it has to succeed."""
        done = subprocess.run(
            [*TRIVIUM, *words],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return " ".join(done.stdout.split())


@pytest.fixture
def project(s3: Any, machine: Any, tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    mine = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    made = Project(folder, mine | s3.environment | machine("driver"))
    made.trivium("up")
    yield made
    made.trivium("down")


def test_train_evaluate_and_play_by_the_store_alone(s3: Any, project: Project) -> None:
    store = s3.new_store()
    where = ("--store", store)
    text = project.trivium("submit", "job.yaml", *where)
    assert "== job-1: finished ==" in text
    assert f" report {store}/job-1/report.html (here: " in text
    assert "job-1 finished" in project.trivium("runs", *where)
    text = project.trivium("submit", "evaluate", "last", *where)
    assert f" pictures: {store}/job-1/report.html (here: " in text
    text = project.trivium("submit", "play", "last", *where)
    assert f" upload {project.folder}: 1 file, " in text
    assert f" written: {store}/job-1/play.mp4 (here: " in text
    assert b"ftyp" in s3.files(store)["job-1/play.mp4"][:16]
    project.trivium("submit", "play", "last", *where, "--gif", "out.gif")
    assert (project.folder / "out.gif").read_bytes()[:4] == b"GIF8"
