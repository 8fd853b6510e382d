"""What a large store remembers of its finished runs, and when it looks again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trivium.platform import run_rows
from trivium.platform.run import write_json
from trivium.platform.run_rows import RunRow, list_runs
from trivium.platform.store import Store


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs are many."""
    monkeypatch.setattr(run_rows, "MANY", 1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose rows were made from their files."""
    names: list[str] = []
    make = run_rows._row

    def noted(run: Any) -> RunRow:
        names.append(run.id)
        return make(run)

    monkeypatch.setattr(run_rows, "_row", noted)
    return names


def rows(store_root: Path) -> list[tuple[str, str, float | None]]:
    listed = list_runs(Store(store_root), None)
    return [(r.id, r.status, r.score.value if r.score else None) for r in listed]


def test_finished_runs_are_read_once(make_run: Any, store_root: Path, made: list[str]) -> None:
    make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    make_run("digits-cnn-2", metrics={"test/accuracy": 0.98}, kind="seeds", result={"num_seeds": 2})
    make_run("digits-cnn-3", status="failed", error="x")
    first = list_runs(Store(store_root), None)
    assert made == ["digits-cnn-3", "digits-cnn-2", "digits-cnn-1"]
    made.clear()
    assert list_runs(Store(store_root), None) == first
    assert made == ["digits-cnn-3"]
    assert [r.parts for r in first] == ["", "2 seeds", ""]
    assert first[0].age_s is not None and first[0].age_s > 0


def test_a_run_that_went_on_is_read_again(make_run: Any, store_root: Path, made: list[str]) -> None:
    run = make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    make_run("digits-cnn-2", metrics={"test/accuracy": 0.98})
    rows(store_root)
    info, result = run.info, dict(run.result)
    write_json(run.path / "run.json", info | {"status": "running", "host": "elsewhere"})
    assert rows(store_root)[1][:2] == ("digits-cnn-1", "running")
    write_json(run.path / "result.json", result | {"metrics": {"test/accuracy": 0.99}})
    write_json(run.path / "run.json", info)
    made.clear()
    assert rows(store_root) == [
        ("digits-cnn-2", "finished", 0.98),
        ("digits-cnn-1", "finished", 0.99),
    ]
    assert made == ["digits-cnn-1"]


def test_a_run_that_is_gone_is_forgotten(make_run: Any, store_root: Path) -> None:
    for number in (1, 2, 3):
        make_run(f"digits-cnn-{number}", metrics={"test/accuracy": 0.9})
    rows(store_root)
    shutil.rmtree(store_root / "digits-cnn-2")
    make_run("digits-cnn-4", metrics={"test/accuracy": 0.9})
    rows(store_root)
    kept = json.loads((store_root / ".rows.json").read_text())["rows"]
    assert sorted(kept) == ["digits-cnn-1", "digits-cnn-3", "digits-cnn-4"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": 0, "rows": {"digits-cnn-1": 1}}',
        '{"format": 1, "rows": []}',
        '{"format": 1, "rows": {"digits-cnn-1": 1, "digits-cnn-2": {"times": [1, 2]}}}',
    ],
)
def test_what_it_cannot_read_is_made_anew(make_run: Any, store_root: Path, content: str) -> None:
    make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    make_run("digits-cnn-2", metrics={"test/accuracy": 0.98})
    (store_root / ".rows.json").write_text(content)
    assert [r[2] for r in rows(store_root)] == [0.98, 0.97]
    assert json.loads((store_root / ".rows.json").read_text())["format"] == 1


def test_a_store_that_cannot_be_written_to_is_listed(
    make_run: Any, store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    make_run("digits-cnn-2", metrics={"test/accuracy": 0.98})
    monkeypatch.setattr(run_rows, "write_json", refuse)
    assert [r[2] for r in rows(store_root)] == [0.98, 0.97]


def test_a_small_store_keeps_nothing(
    make_run: Any, store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_rows, "MANY", 500)
    make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    rows(store_root)
    assert not (store_root / ".rows.json").exists()
