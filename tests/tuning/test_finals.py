"""The verdict over fresh seeds, by numbers on paper."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from trivium.platform.run import RunFolder
from trivium.tuning.finals import OWN, judge
from trivium.tuning.objective import Objective

ACCURACY = Objective("accuracy", True)


def finalist(run: Path, of: str, values: Sequence[float]) -> None:
    for index, value in enumerate(values):
        child = run / "children" / f"{of}-seed{index}"
        child.mkdir(parents=True)
        info = {"status": "finished", "kind": "train", "tune": {"final_of": of, "settings": {}}}
        (child / "run.json").write_text(json.dumps(info))
        lines = [{"step": 1, "accuracy": value - 0.5}, {"step": 2, "accuracy": value}]
        (child / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))


def test_the_winner_is_compared_by_the_differences_of_the_same_seeds(tmp_path: Path) -> None:
    finalist(tmp_path, "4", [0.80, 0.90, 1.00])
    finalist(tmp_path, "7", [0.70, 0.82, 0.88])
    finalist(tmp_path, OWN, [0.95, 0.50, 0.65])
    verdict = judge(RunFolder(tmp_path), ACCURACY)
    assert verdict is not None
    assert verdict.winner.of == "4"
    assert verdict.winner.mean == pytest.approx(0.9)
    # Student's t for two degrees of freedom is 4.303; deviation 0.1 over the root of 3.
    assert verdict.winner.half_width == pytest.approx(4.303 * 0.1 / 3**0.5)
    # Differences 0.10, 0.08, 0.12: mean 0.1, deviation 0.02.
    assert verdict.differences[0] == pytest.approx((0.1, 4.303 * 0.02 / 3**0.5))
    assert verdict.sentences("accuracy") == [
        "trial 4 wins: accuracy 0.9000 +/- 0.2484 over 3 fresh seeds",
        "better than trial 7: by 0.1000 +/- 0.0497",
        "not surely better than the job's own settings: by 0.2000 +/- 0.7556",
    ]


def test_less_may_be_better(tmp_path: Path) -> None:
    finalist(tmp_path, "1", [1.5, 1.7])
    finalist(tmp_path, "2", [2.5, 2.7])
    verdict = judge(RunFolder(tmp_path), Objective("accuracy", False))
    assert verdict is not None
    assert verdict.winner.of == "1"
    assert verdict.differences[0] == pytest.approx((1.0, 0.0))


def test_one_candidate_or_one_seed_gives_no_verdict(tmp_path: Path) -> None:
    finalist(tmp_path, "1", [1.5, 1.7])
    assert judge(RunFolder(tmp_path), ACCURACY) is None
    finalist(tmp_path, "2", [1.5])
    assert judge(RunFolder(tmp_path), ACCURACY) is None
