"""Train the ready-made jobs over seeds and write what they reach to jobs/README.md.

    python benchmarks/scorecards.py [JOB ...]      (all of them when none is named)
    python benchmarks/scorecards.py --page         (the page again, from what is kept)

Each job runs as a user runs it, by the command that its card shows. Results are kept in
jobs/scorecards.json, so that one card can be renewed without the others; a card is merged into it
under a lock when it is done, so that several of these may run at a time.
"""

import fcntl
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, dataset_of
from card_page import page
from cards import CARDS, Card
from machine import Usage, describe_machine

ROOT = Path(__file__).parents[1]
JOBS = ROOT / "jobs"
RESULTS = JOBS / "scorecards.json"


def main() -> None:
    """Run the named cards (or all) and write the page."""
    asked = sys.argv[1:]
    if asked == ["--page"]:
        merge({})
        return
    unknown = set(asked) - {c.job for c in CARDS}
    if unknown:
        sys.exit(f"no card for {', '.join(sorted(unknown))}")
    for card in CARDS:
        if not asked or card.job in asked:
            print(f"== {card.job}", flush=True)
            merge({card.job: measure(card)})


def merge(entries: dict[str, Any]) -> None:
    """Put `entries` among the kept results and write the page of all of them."""
    with RESULTS.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        results: dict[str, Any] = json.load(file) | entries
        file.seek(0)
        file.truncate()
        file.write(json.dumps(results, indent=1) + "\n")
        file.flush()
        (JOBS / "README.md").write_text(page(results), encoding="utf-8")


def measure(card: Card) -> dict[str, Any]:
    """Train over seeds in a store of its own; the scores, what it took, the baseline."""
    command = f"trivium train jobs/{card.job}.yaml --set seeds={card.num_seeds} --json"
    with tempfile.TemporaryDirectory() as store:
        words = [*command.split(), "--store", store]
        words[0] = str(Path(sys.executable).with_name("trivium"))
        usage = Usage()
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        took = usage.so_far()
        result = json.loads(done.stdout.splitlines()[-1])
        children = sorted(Path(store).glob("*/children/*"), key=lambda c: int(c.name))
        seeds = [json.loads((c / "result.json").read_text()) for c in children]
        env_steps = [_env_steps(c) for c in children]
    name, baseline = BASELINES.get(card.job, ("", lambda _: {}))
    scores = baseline(dataset_of(JOBS / f"{card.job}.yaml")) if name else {}
    return {
        "command": command,
        "num_seeds": card.num_seeds,
        "metrics": result["metrics"],
        "interval_95": result.get("interval_95", {}),
        "per_seed": [s["metrics"].get(card.metric) for s in seeds],
        "wall_s_per_seed": round(took.wall_s / card.num_seeds, 1),
        "cpu_s_per_seed": round(took.cpu_s / card.num_seeds, 1),
        "others_busy_cores": took.others_busy_cores,
        "env_steps": env_steps,
        "baseline": name,
        "baseline_metrics": scores,
        "machine": describe_machine(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _env_steps(run: Path) -> int | None:
    """Environment steps that a run trained for; None in supervised training."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line).get("env_steps") for line in lines]
    return next((s for s in reversed(steps) if s is not None), None)


if __name__ == "__main__":
    main()
