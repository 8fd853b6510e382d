"""Workers on machines that share no disk with the driver reach a run through its store."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.platform.remote.kept import kept, returned
from trivium.platform.remote.publisher import Publisher
from trivium.platform.remote.travel import arrive, ticket_of, visiting
from trivium.platform.run import RunFolder, write_json
from trivium.platform.store import Store

WORKER = Path(__file__).parent / "worker.py"


def work(ticket: dict[str, str], cache: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"TRIVIUM_CACHE": str(cache), "TMPDIR": str(cache)}
    cache.mkdir(exist_ok=True)
    words = [sys.executable, str(WORKER), json.dumps(ticket | {"mark": "seen by nobody"})]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_a_worker_elsewhere_writes_comes_back_and_it_hears_of_a_stop(
    s3, machine, tmp_path
) -> None:
    machine("driver")
    run = Store(s3.new_store()).create("digits")
    write_json(run.path / "run.json", {"id": run.id, "status": "running"})
    with kept(run.path):
        process = work(ticket_of(run.path), tmp_path / "elsewhere")
        text = run.path / "workers" / "0.txt"
        wait_until(lambda: text.exists() and "begins at step 0" in text.read_text())
        (run.path / "stop").touch()
        assert process.wait(60) == 0, process.stderr
        returned(run.path)
        records = run.metrics()
        last = run.checkpoint("last")
        assert last is not None and last.step == records[-1]["step"] == len(records)
        assert (last.path / "weights").read_text() == f"weights of {last.step}"
    left = [p for p in (tmp_path / "elsewhere").iterdir() if p.name.startswith("trivium-run-")]
    assert left == [], "a copy that is published goes away"


def test_a_worker_elsewhere_goes_on_from_the_published_checkpoint(s3, machine, tmp_path) -> None:
    machine("driver")
    run = Store(s3.new_store()).create("digits")
    write_json(run.path / "run.json", {"id": run.id, "status": "running"})
    for begins_at_most in (0, None):
        with kept(run.path):
            before = len(run.metrics())
            process = work(ticket_of(run.path), tmp_path / "elsewhere")
            text = run.path / "workers" / "0.txt"
            said = f"begins at step {before} "
            wait_until(lambda t=text, s=said: t.exists() and s in t.read_text())
            (run.path / "stop").touch()
            assert process.wait(60) == 0
            (run.path / "stop").unlink()
            returned(run.path)
            assert begins_at_most is None or before == begins_at_most
    steps = [r["step"] for r in RunFolder(run.path).metrics()]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.parametrize(("heeds_stop", "watched"), [(True, ["stop"]), (False, [])])
def test_a_worker_that_does_not_write_the_run_asks_for_nothing(
    s3, machine, monkeypatch, heeds_stop: bool, watched: list[str]
) -> None:
    machine("driver")
    run = Store(s3.new_store()).create("digits")
    write_json(run.path / "run.json", {"id": run.id, "status": "running"})
    with kept(run.path):
        ticket = ticket_of(run.path) | {"mark": "seen by nobody"}
        asked: list[str] = []
        monkeypatch.setattr(Publisher, "watch", lambda _, name: asked.append(name))
        with visiting(ticket, heeds_stop) as path:
            assert path != run.path
    assert asked == watched


def test_the_drivers_own_folder_is_used_where_it_can_be_seen(s3, machine) -> None:
    machine("driver")
    run = Store(s3.new_store()).create("digits")
    assert arrive(ticket_of(run.path)) == run.path


def test_a_folder_that_a_machine_does_not_see_is_told_with_the_way_out(tmp_path: Path) -> None:
    run = Store(tmp_path / "runs").create("digits")
    ticket = ticket_of(run.path)
    assert arrive(ticket) == run.path.absolute()
    with pytest.raises(UserError) as caught:
        arrive(ticket | {"mark": "another machine's"})
    assert "with workers on several machines the store must be remote" in str(caught.value)
