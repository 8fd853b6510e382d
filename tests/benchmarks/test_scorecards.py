import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch):
    """The folder of the scripts on the path, as when one of them is run."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import card_page
    import cards
    import scorecards

    yield cards, card_page, scorecards
    for name in ("baselines", "card_page", "cards", "machine", "scorecards"):
        sys.modules.pop(name, None)


def result(mean: float, half: float, seeds: list[float], others: float = 0.0) -> dict:
    return {
        "command": "trivium train jobs/cartpole-ppo.yaml --set seeds=2 --json",
        "num_seeds": 2,
        "metrics": {"test/return_mean": mean},
        "interval_95": {"test/return_mean": half},
        "per_seed": seeds,
        "wall_s_per_seed": 12.4,
        "cpu_s_per_seed": 8.0,
        "others_busy_cores": others,
        "env_steps": [100_000, 200_000],
        "baseline": "",
        "baseline_metrics": {},
        "machine": "2 cores",
    }


def test_every_card_has_its_job(scripts) -> None:
    cards, _, _ = scripts
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.yaml")}
    named = [card.job for card in cards.CARDS]
    assert len(named) == len(set(named))
    assert set(named) <= jobs


def test_the_interval_decides_between_not_told_apart_and_not_reached(scripts) -> None:
    _, page, _ = scripts
    assert page.reinforcement_verdict(200.0, 200.0, 9.0) == "reached"
    assert page.reinforcement_verdict(200.0, 195.0, 9.0) == "not told apart from the goal"
    assert page.reinforcement_verdict(200.0, 190.0, 9.0) == "**not reached**"


def test_a_row_counts_the_seeds_at_the_goal_and_marks_a_busy_machine(scripts) -> None:
    _, page, _ = scripts
    text = page.page({"cartpole-ppo": result(499.0, 2.0, [500.0, 498.0], others=1.5)})
    assert (
        "| [cartpole-ppo](cartpole-ppo.yaml) | 499.0 | 497.0 to 501.0 | 500.0 (RL Zoo) | "
        "not told apart from the goal | 1 of 2 | 150,000 | 100k | 12\\* | 8 |"
    ) in text
    assert "other work kept 1.5 to 1.5 cores busy" in text
    text = page.page({"cartpole-ppo": result(500.0, 0.0, [500.0, 500.0])})
    assert "| reached | 2 of 2 | 150,000 | 100k | 12 | 8 |" in text
    assert "\\*" not in text


def test_jobs_without_a_result_are_named_as_not_measured(scripts) -> None:
    cards, page, _ = scripts
    done = {c.job: result(500.0, 0.0, [500.0]) for c in cards.REINFORCEMENT}
    done.pop("acrobot-ppo")
    text = page.page(done)
    assert (
        "Not measured yet, so what they reach is not known: [acrobot-ppo](acrobot-ppo.yaml)."
    ) in text


def test_a_card_is_merged_into_what_others_have_written(scripts, tmp_path: Path, monkeypatch):
    _, _, script = scripts
    monkeypatch.setattr(script, "JOBS", tmp_path)
    monkeypatch.setattr(script, "RESULTS", tmp_path / "scorecards.json")
    script.RESULTS.write_text(json.dumps({"pendulum-ppo": result(-170.0, 9.0, [-170.0])}))
    script.merge({"cartpole-ppo": result(500.0, 0.0, [500.0])})
    assert set(json.loads(script.RESULTS.read_text())) == {"pendulum-ppo", "cartpole-ppo"}
    text = (tmp_path / "README.md").read_text()
    assert "[pendulum-ppo]" in text
    assert "[cartpole-ppo]" in text
