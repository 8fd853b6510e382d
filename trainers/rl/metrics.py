"""What reinforcement learning reports, and when a restored policy falls short."""

import math
from collections.abc import Mapping

from trivium.platform.exhibit import Metric
from trivium.trainers.rl.player import Scores

METRICS = (
    Metric(
        "evaluation/return_mean",
        "Mean undiscounted return of episodes played during training, greedy unless "
        "evaluation.sample says else; it chooses the best "
        "checkpoint.",
        True,
        "Should rise above what random actions give; flat from the start means that nothing is "
        "learned.",
    ),
    Metric(
        "test/return_mean",
        "Mean undiscounted return of the best checkpoint, in episodes that training never saw, "
        "greedy unless evaluation.sample says else.",
        True,
        "Within its interval of the best evaluation; far below it, the best was chosen by luck: "
        "raise evaluation.episodes.",
    ),
    Metric(
        "test/return_std",
        "Standard deviation of those returns between episodes.",
        False,
        "0 where the environment starts and answers alike each time; large beside the mean, some "
        "starts are not mastered.",
    ),
    Metric(
        "test/return_ci95",
        "Half the width of the 95% interval of their mean.",
        False,
        "Small beside the difference that matters to you; four times the episodes halve it.",
    ),
    Metric(
        "test/length_mean",
        "Mean number of steps of those episodes.",
        True,
        "At the time limit where going on is the task, short where reaching an end is.",
    ),
    Metric(
        "test/success_rate",
        "Share of those episodes that the environment calls a success.",
        True,
        "Towards 1.",
    ),
    Metric(
        "train/return_mean",
        "Mean return of the episodes that ended since the last report, actions drawn from the "
        "exploring policy.",
        True,
        "Below the greedy return while it explores; a large gap that stays means too much "
        "exploration.",
    ),
    Metric(
        "train/return_min",
        "Smallest return among those episodes.",
        True,
        "Rises later than the mean; stuck at the start's level, some starts are not mastered.",
    ),
    Metric(
        "train/return_max",
        "Largest return among those episodes.",
        True,
        "Rises first; flat together with the mean, exploration never met anything better.",
    ),
    Metric(
        "train/length_mean",
        "Mean number of steps of those episodes.",
        True,
        "Moves together with the returns; at the time limit while returns are low, the policy has "
        "found a way to wait.",
    ),
    Metric(
        "train/episodes",
        "How many episodes ended since the last report.",
        True,
        "Not 0 for long: then no episode ends, and env.max_episode_steps should cut them.",
    ),
    Metric(
        "env_steps_per_s",
        "Environment steps a second, learning included, evaluation not.",
        True,
        "Steady; with a slow environment, raise resources.num_env_runners.",
    ),
)


def score_metrics(prefix: str, scores: Scores) -> dict[str, float]:
    """The scores under their reported names."""
    named = {
        f"{prefix}/return_mean": scores.return_mean,
        f"{prefix}/return_std": scores.return_std,
        f"{prefix}/return_ci95": scores.return_ci95,
        f"{prefix}/length_mean": scores.length_mean,
        f"{prefix}/episodes": float(scores.episodes),
    }
    if scores.success_rate is not None:
        named[f"{prefix}/success_rate"] = scores.success_rate
    return named


def score_shortfall(recorded: Mapping[str, float], again: Mapping[str, float]) -> str | None:
    """A sentence when `again` is lower than `recorded` by more than 99% of chance explains."""
    before, now = recorded.get("test/return_mean"), again.get("test/return_mean")
    if before is None or now is None:
        return None
    error = math.hypot(*(m.get("test/return_ci95", 0.0) / 1.96 for m in (recorded, again)))
    allowed = 2.58 * error + 1e-6 * max(1.0, abs(before))
    if now >= before - allowed:
        return None
    return (
        f"the restored policy scores {now:.4g}, training recorded {before:.4g}: {before - now:.3g} "
        f"lower, where chance explains {allowed:.3g}. The checkpoint or the environment differs "
        f"from what was trained."
    )
