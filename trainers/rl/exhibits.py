"""What an evaluation of a policy shows: the spread of its returns, and the policy at work."""

from collections.abc import Sequence

import numpy as np

from trivium.platform.errors import TriviumError
from trivium.platform.exhibit import Exhibit, Pictures, Table, picture
from trivium.trainers.rl.environment.make import reward_threshold
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.play import stills
from trivium.trainers.rl.player import Player, scores_of


def episode_exhibits(job: RlJob, episodes: Sequence[Episode]) -> list[Exhibit]:
    """A table of the returns, with the environment's own threshold when it has one."""
    scores = scores_of(episodes)
    returns = np.array([e.episode_return for e in episodes])
    low, middle, high = np.quantile(returns, (0.05, 0.5, 0.95))
    rows: list[tuple[str, float]] = [
        ("mean", scores.return_mean),
        ("95% interval, +-", scores.return_ci95),
        ("standard deviation", scores.return_std),
        ("smallest", float(returns.min())),
        ("5% quantile", float(low)),
        ("median", float(middle)),
        ("95% quantile", float(high)),
        ("largest", float(returns.max())),
        ("mean length, steps", scores.length_mean),
    ]
    if scores.success_rate is not None:
        rows.append(("success rate", scores.success_rate))
    threshold = reward_threshold(job.env)
    note = "" if threshold is None else f"Gymnasium calls {job.env.id} solved at {threshold:g}."
    title = f"Returns of {len(episodes)} episodes"
    return [Table(title, ("", "return"), tuple((n, round(v, 4)) for n, v in rows), note)]


def still_exhibits(job: RlJob, player: Player, seed: int) -> list[Exhibit]:
    """Four moments of one episode; nothing when the environment cannot be drawn here."""
    try:
        episode, frames = stills(player, job, seed)
    except TriviumError:
        return []
    shown = [picture(frame, f"step {step}") for step, frame in frames.items()]
    kind = "episode" if job.evaluation.sample else "greedy episode"
    title = f"One {kind}: return {episode.episode_return:.4g}, {episode.length} steps"
    return [Pictures(title, tuple(shown))]
