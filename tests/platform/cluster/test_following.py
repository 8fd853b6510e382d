"""Following a job whose head comes and goes, and that ends in one way or another."""

from collections.abc import Iterator
from typing import Any

import pytest

from trivium.platform.cluster import following
from trivium.platform.cluster.client import Unreachable
from trivium.platform.cluster.following import Follower, raise_unless_succeeded, shown_lines
from trivium.platform.console import Console
from trivium.platform.errors import RunFailed, TriviumError, UserError
from trivium.platform.interrupt import Interrupted

OUTPUT = (
    "Running entrypoint for job a-1: python -m trivium.platform.cli train job.yaml\n"
    "2026-03-01 10:00:00,123\tINFO worker.py:1900 -- Connecting to existing Ray cluster\n"
    "epoch 1/2\n"
    "epoch 2/2"
)


class Scripted:
    """A head that gives one answer after the other."""

    address = "http://h:8265"

    def __init__(self, *answers: tuple[str, str] | None) -> None:
        self._answers = iter(answers)
        self._output = ""

    def job(self, job_id: str) -> dict[str, Any]:
        answer = next(self._answers)
        if answer is None:
            raise Unreachable("http://h:8265 does not answer (ConnectionError)")
        status, self._output = answer
        return {"status": status, "submission_id": job_id, "driver_exit_code": 0}

    def get(self, path: str) -> Any:
        assert path == "/api/jobs/a-1/logs"
        return {"logs": self._output}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(following, "POLL_S", 0.0)
    yield


def follow(*answers: tuple[str, str] | None, verbose: bool = False) -> list[str]:
    lines: list[str] = []
    console = Console()
    console.say = lines.append  # type: ignore[method-assign]
    Follower(Scripted(*answers), "a-1", console, verbose).follow()  # type: ignore[arg-type]
    return lines


def test_lines_come_once_each_whole_and_without_rays_own() -> None:
    steps = [("RUNNING", OUTPUT[:150]), ("RUNNING", OUTPUT[:-3]), ("SUCCEEDED", OUTPUT)]
    assert follow(*steps) == ["epoch 1/2", "epoch 2/2"]


def test_verbose_shows_ray_too() -> None:
    assert len(follow(("SUCCEEDED", OUTPUT), verbose=True)) == 4


def test_a_head_that_comes_back_is_followed_on_where_it_was() -> None:
    lines = follow(("RUNNING", "one\n"), None, None, ("SUCCEEDED", "one\ntwo\n"))
    assert lines == [
        "one",
        "http://h:8265 does not answer (ConnectionError); the job may well go on; trying again ...",
        "the head answers again",
        "two",
    ]


def test_a_head_that_stays_away_ends_the_following_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", -1.0)
    with pytest.raises(RunFailed) as ended:
        follow(("RUNNING", ""), None)
    assert "`trivium attach a-1` tries again, the run is in the store" in str(ended.value)


@pytest.mark.parametrize(
    ("status", "code", "kind", "text"),
    [
        ("STOPPED", None, Interrupted, "a-1: stopped"),
        ("FAILED", 130, Interrupted, "a-1: stopped after saving"),
        ("FAILED", 2, UserError, "a-1: failed; the lines above say what to mend"),
        ("FAILED", 1, RunFailed, "a-1: failed (exit code 1)"),
        ("FAILED", None, RunFailed, "a-1: failed: The head's node died."),
    ],
)
def test_a_job_ends_here_as_it_ended_there(
    status: str, code: int | None, kind: type[TriviumError], text: str
) -> None:
    info = {"status": status, "submission_id": "a-1", "driver_exit_code": code}
    with pytest.raises(kind) as ended:
        raise_unless_succeeded(info | {"message": "The head's node died.\nTraceback ..."})
    assert str(ended.value) == text


def test_logs_are_the_jobs_own_lines() -> None:
    head: Any = Scripted(("SUCCEEDED", OUTPUT))
    assert list(shown_lines(head, "a-1", verbose=False)) == ["epoch 1/2", "epoch 2/2"]
