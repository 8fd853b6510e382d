"""Jobs of a cluster whose runs go to a remote store: what `submit` prints is found from here."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

JOB = """\
env: {id: CartPole-v1, num_envs: 16}
model: {name: mlp, hidden: [16]}
algorithm: {name: ppo, rollout_steps: 32}
stop: {env_steps: 2000}
evaluation: {interval_env_steps: 1000, episodes: 4}
"""
pytestmark = pytest.mark.timeout(900)  # on a busy machine each job takes minutes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    return folder


@pytest.fixture
def typed(s3: Any, machine: Any, trivium: Any, folder: Path) -> Iterator[Callable[..., str]]:
    """Type a command in the folder, whose cluster reaches the store; its words without columns."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment = mine | s3.environment | machine("driver")
    trivium(folder, environment, "up")
    yield lambda *words: " ".join(trivium(folder, environment, *words).split())
    trivium(folder, environment, "down")


def test_train_evaluate_and_play_by_the_store_alone(s3: Any, typed: Any, folder: Path) -> None:
    store = s3.new_store()
    where = ("--store", store)
    text = typed("submit", "job.yaml", *where)
    assert "== job-1: finished ==" in text
    assert f" report {store}/job-1/report.html (here: " in text
    assert "job-1 finished" in typed("runs", *where)
    text = typed("submit", "evaluate", "last", *where)
    assert f" pictures: {store}/job-1/report.html (here: " in text
    text = typed("submit", "play", "last", *where)
    assert f" upload {folder}: 1 file, " in text
    assert f" written: {store}/job-1/play.mp4 (here: " in text
    assert b"ftyp" in s3.files(store)["job-1/play.mp4"][:16]
    typed("submit", "play", "last", *where, "--gif", "out.gif")
    assert (folder / "out.gif").read_bytes()[:4] == b"GIF8"
