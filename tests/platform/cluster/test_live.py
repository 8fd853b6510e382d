"""Commands against a live cluster: what is sent, where it computes, what a person reads.

Each test is a job of its own on the head of this module; they are as small as real jobs can be.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
TRIVIUM = [sys.executable, "-m", "trivium.platform.cli"]
JOB = """\
dataset: {source: breast-cancer}
model: {name: mlp, hidden: [16]}
algorithm: {name: supervised, epochs: 3}
"""
pytestmark = pytest.mark.timeout(1200)  # on a busy machine each job takes minutes
RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that has nothing of Trivium but a job file, and a secret."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    (folder / ".env").write_text("PASSWORD=hunter2-of-the-env-file\n")
    return folder


def run(words: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout


def trivium(head: Any, folder: Path, *words: str) -> tuple[int, str]:
    return run([*TRIVIUM, *words], folder, head.environment)


def run_info(store: Path, id: str) -> dict[str, object]:
    info: dict[str, object] = json.loads((store / id / "run.json").read_text())
    return info


def answer(head: Any, path: str) -> Any:
    request = urllib.request.Request(
        head.address + path, headers={"Authorization": f"Bearer {head.token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as found:
        return json.load(found)


def test_a_job_is_checked_shown_sent_followed_and_kept(head: Any, project: Path) -> None:
    store = project / "kept"
    where = ["--address", head.address, "--store", str(store)]
    code, text = trivium(head, project, "submit", "job.yaml", "--set", "seed=3", *where)
    assert code == 0, text
    assert f"upload    {project}: 1 file, " in text
    assert "left out  .env (secret: .env)" in text
    assert "asks     the command x 1 CPU\ncluster  4 CPUs on 1 node, 4 CPUs free" in text
    assert "epoch 3/3" in text
    assert "== job-1: finished ==" in text
    job_id = next(line.split()[1] for line in text.splitlines() if line.startswith("submitted:"))
    assert f"trivium attach {job_id}" in text
    info = run_info(store, "job-1")
    assert info["ray"]["job_id"] == job_id  # type: ignore[index]
    assert info["ray"]["from"]["base"] == str(project)  # type: ignore[index]
    written = b"".join(
        p.read_bytes() for p in project.rglob("*") if p.is_file() and p.name != ".env"
    )
    assert head.token.encode() not in written, "a token is written nowhere"
    assert b"hunter2" not in written

    # From another terminal, of the same folder: nobody types the address or the id again.
    code, again = trivium(head, project, "attach")
    assert code == 0
    assert "epoch 3/3" in again
    code, logs = trivium(head, project, "logs", job_id)
    assert code == 0
    assert logs.count("epoch 3/3") == 1
    assert "Running entrypoint" not in logs
    code, rows = trivium(head, project, "jobs", "--json")
    assert [r["status"] for r in json.loads(rows) if r["id"] == job_id] == ["SUCCEEDED"]
    code, scores = trivium(head, project, "evaluate", "last", "--store", str(store))
    assert code == 0, scores


def test_two_workers_are_the_clusters(head: Any, project: Path) -> None:
    code, text = trivium(
        head,
        project,
        *("submit", "job.yaml", "--address", head.address, "--store", "runs"),
        *("--set", "resources.num_workers=2"),
    )
    assert code == 0, text
    assert "asks     2 CPUs (2 workers x 1 CPU)" in text
    assert "== job-1: finished ==" in text
    runs = answer(head, "/api/train/v2/runs/v1")["train_runs"]
    assert [run["name"] for run in runs] == ["job-1"], "the dashboard shows the training run"


def test_stop_has_the_job_save_first(head: Any, project: Path) -> None:
    where = ["--address", head.address, "--store", str(project / "runs")]
    long = ["--set", "algorithm.epochs=100000", "--detach"]
    code, text = trivium(head, project, "submit", "job.yaml", *long, *where)
    assert code == 0, text
    metrics = project / "runs" / "job-1" / "metrics.jsonl"
    until = time.monotonic() + 200
    while not metrics.is_file() and time.monotonic() < until:
        time.sleep(0.5)
    code, text = trivium(head, project, "stop")
    assert code == 0, text
    info = run_info(project / "runs", "job-1")
    assert info["status"] == "stopped", info["error"]
    assert (project / "runs" / "job-1" / "checkpoints").is_dir()
    code, text = trivium(head, project, "attach")
    assert code == 130


def test_a_mistake_does_not_reach_the_cluster(head: Any, project: Path) -> None:
    where = ["--address", head.address, "--store", str(project / "runs")]
    code, text = trivium(head, project, "submit", "job.yaml", "--set", "algorithm.epochs=0", *where)
    assert code == 2
    assert "algorithm.epochs: must be at least 1, got 0" in text
    code, text = trivium(head, project, "submit", "job.yaml", "--epochs", "3", *where)
    assert code == 2
    assert text == "submit train: No such option: --epochs\n"


def test_a_job_that_would_wait_for_ever_is_refused_with_both_numbers(
    head: Any, project: Path
) -> None:
    code, text = trivium(
        head,
        project,
        *("submit", "job.yaml", "--address", head.address, "--store", str(project / "runs")),
        *("--set", "resources.num_workers=4", "--set", "resources.cpus_per_worker=2"),
    )
    assert code == 1
    assert text.endswith(
        "the job would wait for ever: asked 8 CPUs, the cluster has 4; no autoscaler adds nodes to "
        "it. Ask less (--set resources.num_workers=..., resources.cpus_per_worker), or add nodes\n"
    )


def test_401_and_403_explain_themselves(head: Any, project: Path) -> None:
    words = [*TRIVIUM, "jobs", "--address", head.address]
    nobody = {k: v for k, v in head.environment.items() if k != "RAY_AUTH_TOKEN"}
    code, text = run(words, project, nobody | {"HOME": str(project)})
    assert (code, text.split(";")[0]) == (
        2,
        f"{head.address} wants a token (401) and none was found in RAY_AUTH_TOKEN, "
        "RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token",
    )
    code, text = run(words, project, nobody | {"RAY_AUTH_TOKEN": "another"})
    assert (code, text.split(":")[:3]) == (
        2,
        [*f"{head.address} refuses the token from RAY_AUTH_TOKEN (403)".split(":")],
    )


def test_nobody_at_the_address_is_told_at_once(project: Path, head: Any) -> None:
    code, text = trivium(head, project, "jobs", "--address", "127.0.0.1:9")
    assert code == 2
    assert text == (
        "no Ray job server answers at http://127.0.0.1:9; it is the dashboard's address, such as "
        "http://HEAD:8265 (on the head: ray start --head --dashboard-host=...)\n"
    )


def test_the_readmes_line_from_a_checkout(head: Any, tmp_path: Path) -> None:
    """Ray's own command; the code of the checkout is what runs, not what the image has."""
    code, text = run(
        [
            *(*RAY, "job", "submit", "--address", head.address, "--working-dir", "."),
            *("--runtime-env-json", '{"env_vars": {"PYTHONPATH": ".namespace"}}', "--"),
            *("trivium", "train", "jobs/breast-cancer-mlp.yaml", "--set", "algorithm.epochs=2"),
            *("--store", str(tmp_path / "runs")),
        ],
        ROOT,
        head.environment,
    )
    assert code == 0, text
    assert "breast-cancer-mlp-1: finished" in text
    info = run_info(tmp_path / "runs", "breast-cancer-mlp-1")
    assert "working_dir_files" in str(info["base"]), "the uploaded job file was read"


def test_the_readmes_line_from_a_project_that_only_has_trivium_installed(
    head: Any, project: Path
) -> None:
    code, text = run(
        [
            *(*RAY, "job", "submit", "--address", head.address, "--working-dir", ".", "--"),
            *("trivium", "train", "job.yaml", "--store", str(project / "runs")),
        ],
        project,
        head.environment,
    )
    assert code == 0, text
    assert "job-1: finished" in text
    assert os.listdir(project / "runs") == ["job-1"]
