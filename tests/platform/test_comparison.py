import json
from dataclasses import asdict
from typing import Any

from rich.console import Console

from trivium.platform.comparison import changed_versions, compare, render_comparison


def test_only_what_differs_is_shown(make_run: Any, capsys: Any) -> None:
    a = make_run("digits-cnn-1", metrics={"test/accuracy": 0.9621, "test/loss": 0.12})
    job = (a.path / "job.yaml").read_text().replace("lr: 0.001", "lr: 0.01").replace("32, 64", "64")
    b = make_run(
        "digits-cnn-2",
        job=job.replace("early_stopping: null", "schedule: {name: cosine}"),
        metrics={"test/accuracy": 0.9714, "test/f1": 0.97},
        git={"commit": "fedcba9876543210", "dirty": True},
        versions={"python": "3.11.9", "trivium": "0.1.0", "torch": "2.14.0"},
        dataset_fingerprint="77aa",
    )
    render_comparison(compare(a, b), Console(width=100, highlight=False))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "digits-cnn-1 -> digits-cnn-2",
        "",
        "Settings",
        "model.channels: [32, 64] -> [64]",
        "algorithm.optimizer.lr: 0.001 -> 0.01",
        "algorithm.schedule.name: (none) -> cosine",
        "",
        "Scores",
        "                digits-cnn-1   digits-cnn-2   difference",
        "────────────────────────────────────────────────────────",
        "test/accuracy         0.9621         0.9714      +0.0093",
        "test/loss             0.1200              -",
        "test/f1                    -         0.9700",
        "",
        "Data",
        "fingerprint: 5f2c9a1b -> 77aa",
        "",
        "Code",
        "commit: 0123456789ab -> fedcba987654",
        "uncommitted changes: false -> true",
        "torch: 2.13.0 -> 2.14.0",
    ]


def test_equal_runs_say_so(make_run: Any, capsys: Any) -> None:
    a, b = make_run("digits-cnn-1"), make_run("digits-cnn-2")
    render_comparison(compare(a, b), Console(width=100, highlight=False))
    assert capsys.readouterr().out == (
        "digits-cnn-1 -> digits-cnn-2\n\nSettings\nthe same\n\nScores\nneither has scores yet\n\n"
        "Data\nthe same\n\nCode\nthe same commit and versions\n"
    )


def test_the_comparison_is_plain_data_too(make_run: Any) -> None:
    a = make_run("digits-cnn-1", metrics={"test/loss": 0.5})
    b = make_run("digits-cnn-2", metrics={"test/loss": 0.4}, dataset_fingerprint=None)
    assert json.loads(json.dumps(asdict(compare(a, b)))) == {
        "a": "digits-cnn-1",
        "b": "digits-cnn-2",
        "settings": [],
        "metrics": [{"name": "test/loss", "a": 0.5, "b": 0.4}],
        "data": {"name": "fingerprint", "a": "5f2c9a1b", "b": None},
        "code": [],
    }


def test_what_changed_around_a_job_is_named_for_reproduce(make_run: Any) -> None:
    a = make_run("digits-cnn-1")
    b = make_run("digits-cnn-2", git=None, versions=a.info["versions"] | {"torch": "2.12.0"})
    assert changed_versions(a, b) == [
        "commit 0123456789ab -> (none)",
        "uncommitted changes false -> (none)",
        "torch 2.13.0 -> 2.12.0",
    ]
