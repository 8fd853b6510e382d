"""The scores to beat in Recommend-v0: greedy and UCB on the click rates, and what limits them.

All three show one slate at a time without a thought for the next one; a recommender that learns
can do better by keeping the user patient and by letting topics rest.
"""

from typing import Any

import numpy as np

from trivium.envs.recommend.rules import NUM_KINDS, RecommendRules


class Greedy:
    """Show the items with the highest recent click rate, as the observation has it."""

    bonus = 0.0

    def __init__(self, rules: RecommendRules) -> None:
        self.rules = rules

    def __call__(self, env: Any) -> list[int]:
        """The slate for the state of an unwrapped `RecommendEnv`."""
        shows = np.array(env.shown) / (1.0 - self.rules.memory)  # from shares to counts of steps
        bonus = self.bonus * np.sqrt(np.log1p(max(shows.sum(), 1.0)) / (shows + 1.0))
        order: list[int] = np.argsort(env.rates() + bonus).tolist()
        return order[: -self.rules.slate_size - 1 : -1]


class UCB(Greedy):
    """Discounted UCB: the click rate and a bonus for items that were shown little of late."""

    bonus = 0.05


class Insider:
    """Knows the hidden taste, and shows the most interesting topics: no score to ask for.

    It shows solid items while patience is missing, and catchy ones while it is full.
    """

    def __init__(self, rules: RecommendRules) -> None:
        self.rules = rules

    def __call__(self, env: Any) -> list[int]:
        """The slate for the state of an unwrapped `RecommendEnv`."""
        interest = [taste - bored for taste, bored in zip(env.taste, env.bored, strict=True)]
        best = np.argsort(interest)[::-1].tolist() * NUM_KINDS
        kind = int(env.patience == self.rules.patience)
        slate = [topic * NUM_KINDS + kind for topic in best[: self.rules.num_topics]]
        slate += [topic * NUM_KINDS + 1 - kind for topic in best[self.rules.num_topics :]]
        return slate[: self.rules.slate_size]
