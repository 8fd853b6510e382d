import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch):
    """The folders of the scripts on the path, as when one of them is run."""
    before = set(sys.modules)
    for folder in ("benchmarks", "benchmarks/tuning", "benchmarks/scale"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    import messages
    import sockets

    yield messages, sockets
    for name in set(sys.modules) - before:
        if str(ROOT / "benchmarks") in (getattr(sys.modules[name], "__file__", None) or ""):
            sys.modules.pop(name)


def row(workers: int, steps: int, **changed: float) -> dict:
    return {
        "workers": workers,
        "steps": steps,
        "polls_per_worker_and_interval": 0.9,
        "calls_of_the_run_but_polls": 11 * workers,
        "bytes_per_worker_and_interval": 1300,
        "metrics_lines_per_epoch": 1.0,
        **changed,
    }


def test_bytes_of_open_and_of_ended_connections_are_counted(scripts) -> None:
    _, sockets = scripts
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = sockets.tcp_bytes()
        with socket.create_connection(server.getsockname()) as here:
            there, _ = server.accept()
            with there:
                here.sendall(b"x" * 1000)
                there.recv(1000, socket.MSG_WAITALL)
                open_ = sockets.tcp_bytes()
        after = sockets.tcp_bytes()
    assert open_.received - before.received == 1000
    assert after.received >= open_.received
    assert after.sent - before.sent >= 1000


def test_the_driver_may_ask_each_worker_once_an_interval_and_no_more(scripts) -> None:
    messages, _ = scripts
    rows = [row(c, s) for c in messages.COUNTS for s in messages.STEPS]
    assert all(goal.is_reached for goal in messages._goals(rows))


@pytest.mark.parametrize(
    "grown",
    [
        {"polls_per_worker_and_interval": 1.1},
        {"calls_of_the_run_but_polls": 89},
        {"bytes_per_worker_and_interval": 1700},
        {"metrics_lines_per_epoch": 8.0},
    ],
)
def test_what_grows_with_workers_or_steps_misses_its_goal(scripts, grown) -> None:
    messages, _ = scripts
    rows = [row(c, s) for c in messages.COUNTS for s in messages.STEPS]
    rows[-1] |= grown
    assert sum(not goal.is_reached for goal in messages._goals(rows)) == 1
