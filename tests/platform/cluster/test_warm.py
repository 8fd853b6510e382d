"""The record of a cluster that stays up: whose it is, whether it lives, and what `down` ends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from trivium.platform.cluster.address import project_folder
from trivium.platform.cluster.warm import (
    CORE,
    WarmCluster,
    find_warm,
    plain_python,
    read_record,
    stop_warm,
)
from trivium.platform.errors import UserError
from trivium.platform.run import process_started


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for one of Ray's."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return tmp_path


def record(project: Path, process: subprocess.Popen[bytes]) -> WarmCluster:
    """A cluster whose core is `process`, written down in `project`."""
    started = process_started(process.pid)
    assert started is not None
    folder = project / "trivium-up-x"
    folder.mkdir(exist_ok=True)
    cluster = WarmCluster(
        address="127.0.0.1:1",
        dashboard="http://127.0.0.1:2",
        folder=str(folder),
        project=str(project),
        python=sys.executable,
        num_cpus=4,
        user_id=os.getuid(),
        processes={name: [process.pid, started] for name in CORE},
        started="2026-03-01T10:00:00.000Z",
    )
    write(project, cluster)
    return cluster


def write(project: Path, cluster: WarmCluster) -> None:
    folder = project / project_folder()
    (folder / "cluster.json").write_text(json.dumps(asdict(cluster)))


def test_a_live_cluster_of_this_folder_is_found(
    project: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    assert find_warm() is None
    cluster = record(project, sleeper)
    assert find_warm() == cluster


def test_a_number_that_is_another_process_now_is_not_the_cluster(
    project: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    cluster = record(project, sleeper)
    pid, started = cluster.processes["raylet"]
    write(project, replace(cluster, processes={name: [pid, started - 1] for name in CORE}))
    assert find_warm() is None
    stale = read_record()
    assert stale is not None
    assert stop_warm(stale) == 0
    assert sleeper.poll() is None, "it is not ours to end"
    assert read_record() is None


def test_another_folder_does_not_join_it(
    project: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = record(project, sleeper)
    other = project / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert find_warm() is None
    write(other, cluster)  # a copy of the whole folder brings the record along
    assert find_warm() is None


def test_another_users_record_is_not_ours(project: Path, sleeper: subprocess.Popen[bytes]) -> None:
    cluster = record(project, sleeper)
    write(project, replace(cluster, user_id=cluster.user_id + 1))
    assert find_warm() is None


def test_another_environment_is_a_mistake_that_is_told(
    project: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write(project, replace(record(project, sleeper), python="/other/bin/python"))
    with pytest.raises(UserError) as told:
        find_warm()
    assert str(told.value) == (
        f"this folder's cluster runs in /other/bin/python, this command in {sys.executable}: "
        "`trivium down`, then `trivium up` with the environment that you want"
    )


def test_down_ends_the_recorded_processes_and_no_other(
    project: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    cluster = record(project, sleeper)
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        assert stop_warm(cluster) == 1
        assert sleeper.wait(5) != 0
        assert bystander.poll() is None
        assert not Path(cluster.folder).exists()
        assert read_record() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_what_belongs_to_the_project_is_passed_over_by_git(project: Path) -> None:
    assert (project_folder() / ".gitignore").read_text() == "*\n"
    assert project_folder().stat().st_mode & 0o077 == 0


def test_ray_gets_a_path_without_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "an environment" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").touch()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python")
    assert plain_python(tmp_path) == "/usr/bin/python"
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    (tmp_path / "ray").mkdir()
    found = plain_python(tmp_path / "ray")
    assert found == str(tmp_path / "ray" / "environment" / "bin" / "python")
    assert Path(found).samefile(programs / "python")
