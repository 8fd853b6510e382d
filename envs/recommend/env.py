"""A slate recommender: what to show to a user whose taste is hidden and drifts."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from trivium.envs.random_streams import NUM_WORDS
from trivium.envs.recommend.render import picture
from trivium.envs.recommend.rules import NUM_KINDS, NUM_LEVELS, RecommendRules
from trivium.envs.stream_env import StreamEnv

WORD = 1.0 / NUM_WORDS
PRIOR_RATE = 0.1
"""The click rate that an item counts with which was not shown of late."""


def observation_space(rules: RecommendRules) -> spaces.Box:
    """Recent shows and click rate of each item, boredom of each topic, patience."""
    size = 2 * rules.num_items + rules.num_topics + 1
    return spaces.Box(0.0, 1.0, (size,), np.float32)


def action_space(rules: RecommendRules) -> spaces.MultiDiscrete:
    """The items of the slate."""
    return spaces.MultiDiscrete([rules.num_items] * rules.slate_size)


class RecommendEnv(StreamEnv):
    """Show slates of items to a user whose taste is hidden and drifts, and keep the user.

    ## Description

    A catalogue has topics, and for each topic a solid item and a catchy one. In every step the
    recommender shows a slate of items, and the user clicks one of them or none, the likelier the
    more the topic interests the user. A catchy item is clicked more often, but only a click on a
    solid one gives patience back, and a slate without a click takes patience away.

    The taste of the user for each topic is hidden and drifts. A click satisfies: the interest in
    its topic falls, and returns step by step. What was shown and clicked must tell the
    recommender what to show next; showing a topic is also the only way to learn of it.

    The user chooses by the conditional logit model: item i of the slate with the chance
    w_i / (1 + sum of w), where w grows exponentially with the interest. An item that is on the
    slate twice counts once.

    ## Action space

    `MultiDiscrete([2 * num_topics] * slate_size)`: the items of the slate. Item 2k is the solid one
    of topic k, item 2k + 1 the catchy one.

    ## Observation space

    `Box(0, 1, (5 * num_topics + 1,), float32)`, here with the 8 topics of the default.

    | Num | Observation | Min | Max | Unit |
    | --- | --- | --- | --- | --- |
    | 0-15 | recent shows of each item: a mean over steps with weights that fade | 0 | 1 | share |
    | 16-31 | recent click rate of each item; 0.1 without recent shows | 0 | 1 | clicks per show |
    | 32-39 | what clicks have taken from the interest in each topic | 0 | 1 | 15 levels |
    | 40 | patience | 0 | 1 | `patience` steps |

    ## Rewards

    1 for a click, else 0. A return of 100 in 100 steps is a user who clicks in every step.

    ## Starting state

    The taste for each topic is uniform over 16 levels. Nothing was shown; patience is full.

    ## Episode end

    1. Termination: patience is 0, the user leaves.
    2. Truncation, by `gymnasium.make`: 100 steps.

    ## Arguments

    The fields of `trivium.envs.recommend.rules.RecommendRules`, by name:

    ```python
    gymnasium.make("trivium/Recommend-v0", drift=0.0, slate_size=5)
    ```

    ## References

    - E. Ie and others, "RecSim: a configurable simulation platform for recommender systems", 2019:
      slates, conditional logit choice, and items that please now but not in the long run.
    - A. Garivier and E. Moulines, "On upper-confidence bound policies for switching bandit
      problems", 2011: the discounted UCB of `baseline.py`.

    ## Version history

    - v0: initial version.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, render_mode: str | None = None, **rules: Any) -> None:
        super().__init__(render_mode)
        self.rules = RecommendRules(**rules)
        self.num_reset_words, self.num_step_words = self.rules.num_topics, self.rules.num_words
        self.observation_space = observation_space(self.rules)
        self.action_space = action_space(self.rules)
        self._attraction = self.rules.attraction().tolist()
        self._drift = self.rules.drift_table().tolist()
        self.taste = [0] * self.rules.num_topics
        self.bored = [0] * self.rules.num_topics
        self.shown = [0.0] * self.rules.num_items
        self.clicked = [0.0] * self.rules.num_items
        self.patience = self.rules.patience
        self.slate: list[int] = []
        self.choice: int | None = None

    def _start(self, words: list[int]) -> None:
        rules = self.rules
        self.taste = [word * NUM_LEVELS // NUM_WORDS for word in words[: rules.num_topics]]
        self.bored = [0] * rules.num_topics
        self.shown = [0.0] * rules.num_items
        self.clicked = [0.0] * rules.num_items
        self.patience = rules.patience
        self.slate = []
        self.choice = None

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Show a slate; see the class."""
        words = self._draw()
        self.slate = list(dict.fromkeys(np.asarray(action).tolist()))
        self.choice = self._chosen(words[0] * WORD)
        self._remember()
        self._react()
        self._drift_taste(words)
        return self._observe(), float(self.choice is not None), self.patience == 0, False, {}

    def _chosen(self, uniform: float) -> int | None:
        bounds, total = [], 0.0
        for item in self.slate:
            topic = item // NUM_KINDS
            level = max(self.taste[topic] - self.bored[topic], 0)
            total += self._attraction[level * NUM_KINDS + item % NUM_KINDS]
            bounds.append(total)
        point = uniform * (total + 1.0)
        for item, bound in zip(self.slate, bounds, strict=True):
            if point < bound:
                return item
        return None

    def _remember(self) -> None:
        memory = self.rules.memory
        self.shown = [count * memory for count in self.shown]
        self.clicked = [count * memory for count in self.clicked]
        for item in self.slate:
            self.shown[item] += 1.0 - memory
        if self.choice is not None:
            self.clicked[self.choice] += 1.0 - memory

    def _react(self) -> None:
        self.bored = [max(level - 1, 0) for level in self.bored]
        if self.choice is None:
            self.patience = max(self.patience - 1, 0)
            return
        topic = self.choice // NUM_KINDS
        self.bored[topic] = min(self.bored[topic] + self.rules.boredom, NUM_LEVELS - 1)
        if self.choice % NUM_KINDS == 0:
            self.patience = min(self.patience + 1, self.rules.patience)

    def _drift_taste(self, words: list[int]) -> None:
        drift, highest = self._drift, NUM_LEVELS - 1
        self.taste = [
            min(max(level + drift[words[1 + topic]], 0), highest)
            for topic, level in enumerate(self.taste)
        ]

    def rates(self) -> list[float]:
        """Recent click rate of each item, as if once more shown before, with a rate of 0.1."""
        share = 1.0 - self.rules.memory
        pairs = zip(self.shown, self.clicked, strict=True)
        return [(clicked + PRIOR_RATE * share) / (shown + share) for shown, clicked in pairs]

    def _observe(self) -> npt.NDArray[np.float32]:
        bored = [level / (NUM_LEVELS - 1) for level in self.bored]
        patience = self.patience / self.rules.patience
        return np.array([*self.shown, *self.rates(), *bored, patience], dtype=np.float32)

    def _picture(self) -> npt.NDArray[np.uint8]:
        return picture(self.rules, self.taste, self.bored, self.slate, self.choice, self.patience)
