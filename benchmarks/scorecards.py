"""Train the ready-made jobs over seeds and write what they reach to jobs/README.md.

    python benchmarks/scorecards.py [JOB ...]      (all of them when none is named)

Each job runs as a user runs it, by the command that its card shows. Results are kept in
jobs/scorecards.json, so that one card can be renewed without the others.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, dataset_of
from machine import describe_machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "jobs" / "scorecards.json"


@dataclass(frozen=True)
class Card:
    """A ready-made job and what it is to reach."""

    job: str
    metric: str
    goal: float | None = None
    larger_is_better: bool = True
    num_seeds: int = 3
    reference: str = ""
    """What others reach, in words, with their steps."""


SUPERVISED = (
    Card("mnist-cnn", "test/accuracy", 0.97),
    Card("fashion-mnist-cnn", "test/accuracy", 0.91),
    Card("reuters-lstm", "test/f1_macro"),
    Card("chinese-reviews-lstm", "test/accuracy"),
    Card("breast-cancer-mlp", "test/accuracy"),
    Card("diabetes-mlp", "test/rmse", larger_is_better=False),
    Card("movielens-mf", "test/rmse", larger_is_better=False),
)
CARDS = SUPERVISED


def main() -> None:
    """Run the named cards (or all) and write the page."""
    asked = sys.argv[1:]
    unknown = set(asked) - {c.job for c in CARDS}
    if unknown:
        sys.exit(f"no card for {', '.join(sorted(unknown))}")
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for card in CARDS:
        if not asked or card.job in asked:
            print(f"== {card.job}", flush=True)
            results[card.job] = measure(card)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    (ROOT / "jobs" / "README.md").write_text(page(results), encoding="utf-8")


def measure(card: Card) -> dict[str, Any]:
    """Train over seeds in a store of its own; the scores, the wall time, the baseline."""
    command = f"trivium train jobs/{card.job}.yaml --set seeds={card.num_seeds} --json"
    with tempfile.TemporaryDirectory() as store:
        words = [*command.split(), "--store", store]
        words[0] = str(Path(sys.executable).with_name("trivium"))
        began = time.monotonic()
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        wall_s = time.monotonic() - began
        result = json.loads(done.stdout.splitlines()[-1])
        children = sorted(Path(store).glob("*/children/*/result.json"))
        seeds = [json.loads(c.read_text()) for c in children]
    name, baseline = BASELINES.get(card.job, ("", lambda _: {}))
    scores = baseline(dataset_of(ROOT / "jobs" / f"{card.job}.yaml")) if name else {}
    return {
        "command": command,
        "num_seeds": card.num_seeds,
        "metrics": result["metrics"],
        "interval_95": result.get("interval_95", {}),
        "per_seed": [s["metrics"].get(card.metric) for s in seeds],
        "wall_s_per_seed": round(wall_s / card.num_seeds, 1),
        "env_steps": [s.get("env_steps") for s in seeds],
        "baseline": name,
        "baseline_metrics": scores,
        "machine": describe_machine(),
        "date": time.strftime("%Y-%m-%d"),
    }


def page(results: dict[str, Any]) -> str:
    """jobs/README.md."""
    return "\n".join(
        [
            "# Ready-made jobs",
            "",
            "Copy one, change it, train it: `trivium train jobs/NAME.yaml`. The cards below are",
            "written by `make scorecards` from `scorecards.json`, never by hand: mean over seeds",
            "with its 95% confidence interval (Student's t), on test rows that training and the",
            "choice of the best epoch never saw.",
            "",
            "## Supervised",
            "",
            *table(results, SUPERVISED),
            "",
        ]
    )


def table(results: dict[str, Any], cards: tuple[Card, ...]) -> list[str]:
    """Markdown rows, one a card."""
    lines = [
        "| job | score | mean | 95% interval | seeds | goal | baseline | verdict | s per seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(card, results[card.job]) for card in cards if card.job in results]
    machines = {results[c.job]["machine"] for c in cards if c.job in results}
    commands = [f"- `{results[c.job]['command']}`" for c in cards if c.job in results]
    return [*lines, "", f"Measured on: {'; '.join(sorted(machines))}.", "Commands:", "", *commands]


def _row(card: Card, result: dict[str, Any]) -> str:
    mean, half = result["metrics"][card.metric], result["interval_95"].get(card.metric, 0.0)
    baseline = result["baseline_metrics"].get(card.metric)
    cells = [
        f"[{card.job}]({card.job}.yaml)",
        card.metric,
        f"{mean:.4f}",
        f"{mean - half:.4f} to {mean + half:.4f}",
        str(result["num_seeds"]),
        "" if card.goal is None else f"{card.goal:g}",
        "" if baseline is None else f"{baseline:.4f} ({result['baseline']})",
        _verdict(card, mean, half, baseline),
        f"{result['wall_s_per_seed']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _verdict(card: Card, mean: float, half: float, baseline: float | None) -> str:
    sign = 1 if card.larger_is_better else -1
    words = []
    if card.goal is not None:
        words.append("goal reached" if sign * mean >= sign * card.goal else "**goal not reached**")
    if baseline is not None:
        if sign * (mean - baseline) > half:
            words.append("better than the baseline")
        elif sign * (baseline - mean) > half:
            words.append("**the baseline wins**")
        else:
            words.append("no clear difference from the baseline")
    return ", ".join(words)


if __name__ == "__main__":
    main()
