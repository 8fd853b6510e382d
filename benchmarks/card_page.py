"""jobs/README.md, written from what the score cards hold."""

from typing import Any

from cards import REINFORCEMENT, SUPERVISED, Card

OTHERS_BUSY = 0.2
"""Cores kept busy by other work, from which on a wall time is marked."""

INTRODUCTION = """# Ready-made jobs

Copy one, change it, train it: `trivium train jobs/NAME.yaml`. The cards below are
written by `make scorecards` from `scorecards.json`, never by hand: mean over seeds
with its 95% confidence interval (Student's t)."""

ABOUT_SUPERVISED = (
    """Scores are those of test rows that training and the choice of the best epoch never saw."""
)

ABOUT_REINFORCEMENT = """\
Scores are mean returns of episodes from fresh seeds, greedy unless the job says else, played after
training by the best policy that its evaluations found. `env steps` is the mean over seeds of the
steps trained, beside the steps behind the goal where it is RL Zoo's. A goal within the interval
counts as not told apart from it. CPU seconds are of all threads, start and evaluations included."""


def page(results: dict[str, Any]) -> str:
    """The text of jobs/README.md for the cards that have results."""
    return (
        "\n\n".join(
            [
                INTRODUCTION,
                "## Supervised",
                ABOUT_SUPERVISED,
                *supervised_part(results),
                "## Reinforcement learning",
                ABOUT_REINFORCEMENT,
                *reinforcement_part(results),
            ]
        )
        + "\n"
    )


def supervised_part(results: dict[str, Any]) -> list[str]:
    """The table of supervised jobs, and where it comes from."""
    head = "job|score|mean|95% interval|seeds|goal|baseline|verdict|s per seed"
    done = [c for c in SUPERVISED if c.job in results]
    rows = [_supervised_row(card, results[card.job]) for card in done]
    return [_table(head, rows), *_without(results, SUPERVISED), *_origin(results, done)]


def reinforcement_part(results: dict[str, Any]) -> list[str]:
    """The table of reinforcement learning jobs, and where it comes from."""
    head = (
        "job|mean return|95% interval|goal|verdict|seeds at the goal|env steps|RL Zoo's steps|"
        "wall s per seed|CPU s per seed"
    )
    done = [c for c in REINFORCEMENT if c.job in results]
    rows = [_reinforcement_row(card, results[card.job]) for card in done]
    busy = [_others(results[c.job]) for c in done]
    marked = [b for b in busy if b > OTHERS_BUSY]
    load = []
    if marked:
        load = [
            f"\\* Measured while other work kept {min(marked):.1f} to {max(marked):.1f} cores "
            "busy, and paused the training at times: the wall time is longer than on a machine "
            "at rest, the CPU time hardly."
        ]
    without = _without(results, REINFORCEMENT)
    return [_table(head, rows), *load, *without, *_origin(results, done)]


def _table(head: str, rows: list[list[str]]) -> str:
    names = head.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _without(results: dict[str, Any], cards: tuple[Card, ...]) -> list[str]:
    missing = [f"[{c.job}]({c.job}.yaml)" for c in cards if c.job not in results]
    listed = ", ".join(missing)
    return [f"Not measured yet, so what they reach is not known: {listed}."] if missing else []


def _origin(results: dict[str, Any], cards: list[Card]) -> list[str]:
    machines = {results[c.job]["machine"] for c in cards}
    commands = [f"- `{results[c.job]['command']}`" for c in cards]
    measured = f"Measured on: {'; '.join(sorted(machines))}.\nCommands:"
    return [measured, "\n".join(commands)] if cards else []


def _supervised_row(card: Card, result: dict[str, Any]) -> list[str]:
    mean, half = _mean_and_half(card, result)
    baseline = result["baseline_metrics"].get(card.metric)
    return [
        f"[{card.job}]({card.job}.yaml)",
        card.metric,
        f"{mean:.4f}",
        f"{mean - half:.4f} to {mean + half:.4f}",
        str(result["num_seeds"]),
        "" if card.goal is None else f"{card.goal:g}",
        "" if baseline is None else f"{baseline:.4f} ({result['baseline']})",
        _supervised_verdict(card, mean, half, baseline),
        f"{result['wall_s_per_seed']:.0f}",
    ]


def _supervised_verdict(card: Card, mean: float, half: float, baseline: float | None) -> str:
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


def _reinforcement_row(card: Card, result: dict[str, Any]) -> list[str]:
    assert card.goal is not None
    mean, half = _mean_and_half(card, result)
    seeds, digits = result["per_seed"], 1 if abs(card.goal) >= 20 else 3
    steps = [s for s in result["env_steps"] if s is not None]
    mark = "\\*" if _others(result) > OTHERS_BUSY else ""
    return [
        f"[{card.job}]({card.job}.yaml)",
        f"{mean:.{digits}f}",
        f"{mean - half:.{digits}f} to {mean + half:.{digits}f}",
        f"{card.goal:.{digits}f} ({card.source})",
        reinforcement_verdict(card.goal, mean, half),
        f"{sum(s >= card.goal for s in seeds)} of {len(seeds)}",
        f"{sum(steps) / len(steps):,.0f}" if steps else "",
        card.peer_env_steps,
        f"{result['wall_s_per_seed']:.0f}{mark}",
        f"{result['cpu_s_per_seed']:.0f}",
    ]


def reinforcement_verdict(goal: float, mean: float, half: float) -> str:
    """What the interval mean +- half says of a goal, larger being better."""
    if mean >= goal:
        return "reached"
    return "not told apart from the goal" if mean + half >= goal else "**not reached**"


def _mean_and_half(card: Card, result: dict[str, Any]) -> tuple[float, float]:
    return result["metrics"][card.metric], result["interval_95"].get(card.metric, 0.0)


def _others(result: dict[str, Any]) -> float:
    busy = result.get("others_busy_cores")
    return 0.0 if busy is None else float(busy)
