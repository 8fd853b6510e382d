"""Recommend-v0 for a batch of copies."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from trivium.envs.batch_env import BatchEnv, Rows
from trivium.envs.random_streams import NUM_WORDS, Words
from trivium.envs.recommend.env import PRIOR_RATE, WORD, action_space, observation_space
from trivium.envs.recommend.render import picture
from trivium.envs.recommend.rules import NUM_KINDS, NUM_LEVELS, RecommendRules


class RecommendVectorEnv(BatchEnv):
    """A batch of `RecommendEnv`s; the arguments are `BatchEnv`'s and `RecommendRules`'."""

    state_arrays = ("taste", "bored", "shown", "clicked", "patience", "slate", "choice")

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 100,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        **rules: Any,
    ) -> None:
        self.rules = RecommendRules(**rules)
        num_topics, num_items = self.rules.num_topics, self.rules.num_items
        self.num_reset_words, self.num_step_words = num_topics, self.rules.num_words
        self.single_observation_space = observation_space(self.rules)
        self.single_action_space = action_space(self.rules)
        super().__init__(num_envs, max_episode_steps, render_mode, autoreset_mode, copy)
        self._attraction = self.rules.attraction()
        self._drift = self.rules.drift_table()
        self._copies = np.arange(num_envs)
        self.taste = np.zeros((num_topics, num_envs), dtype=np.int8)
        self.bored = np.zeros((num_topics, num_envs), dtype=np.int8)
        self.shown = np.zeros((num_items, num_envs))
        self.clicked = np.zeros((num_items, num_envs))
        self.patience = np.zeros(num_envs, dtype=np.int64)
        self.slate = np.full((self.rules.slate_size, num_envs), -1, dtype=np.int64)
        """The items shown last; -1 for an item that was on the slate already."""
        self.choice = np.full(num_envs, -1, dtype=np.int64)
        """The item clicked last; -1 for none."""

    def _start(self, rows: Rows, words: Words) -> None:
        first = words[: self.rules.num_topics].astype(np.int64)
        self.taste[:, rows] = first * NUM_LEVELS // NUM_WORDS
        self.bored[:, rows] = 0
        self.shown[:, rows] = 0.0
        self.clicked[:, rows] = 0.0
        self.patience[rows] = self.rules.patience
        self.slate[:, rows] = -1
        self.choice[rows] = -1

    def _advance(
        self, actions: npt.NDArray[np.integer[Any]], words: Words
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        self._show(actions.T)
        self._choose(words[0])
        self._remember()
        clicked = self.choice >= 0
        np.maximum(self.bored - 1, 0, out=self.bored)
        cell = self.choice // NUM_KINDS * self.num_envs + self._copies
        bored = self.bored.ravel()
        rows = np.flatnonzero(clicked)
        bored[cell[rows]] = np.minimum(bored[cell[rows]] + self.rules.boredom, NUM_LEVELS - 1)
        self.patience += np.where(clicked, self.choice % NUM_KINDS == 0, -1)
        self.patience.clip(0, self.rules.patience, out=self.patience)
        self.taste += self._drift.take(words[1 : 1 + self.rules.num_topics])
        self.taste.clip(0, NUM_LEVELS - 1, out=self.taste)
        return clicked.astype(np.float64), self.patience == 0

    def _show(self, items: npt.NDArray[np.integer[Any]]) -> None:
        """Keep the slate `[slate_size, B]`, each item once."""
        self.slate[:] = items
        for place in range(1, len(items)):
            again = (items[:place] == items[place]).any(axis=0)
            self.slate[place, again] = -1

    def _choose(self, words: npt.NDArray[np.uint16]) -> None:
        """Draw the item that is clicked; an item shown again has no weight of its own."""
        cells = self.slate // NUM_KINDS * self.num_envs + self._copies
        interest = np.maximum(self.taste - self.bored, 0).ravel()
        level = interest.take(cells, mode="clip").astype(np.int64)
        weights = self._attraction.take(level * NUM_KINDS + self.slate % NUM_KINDS)
        bounds = np.where(self.slate >= 0, weights, 0.0).cumsum(axis=0)
        point = words * WORD * (bounds[-1] + 1.0)
        self.choice[:] = -1
        for place in reversed(range(len(bounds))):  # the first bound above the point counts
            np.copyto(self.choice, self.slate[place], where=point < bounds[place])

    def _remember(self) -> None:
        share = 1.0 - self.rules.memory
        self.shown *= self.rules.memory
        self.clicked *= self.rules.memory
        for counts, items in ((self.shown, self.slate), (self.clicked, self.choice[None])):
            place, row = np.nonzero(items >= 0)
            counts[items[place, row], row] += share

    def _observe(self, rows: Rows | slice, out: npt.NDArray[Any]) -> None:
        num_items = self.rules.num_items
        out[:, :num_items] = self.shown[:, rows].T
        share = 1.0 - self.rules.memory
        rates = (self.clicked[:, rows] + PRIOR_RATE * share) / (self.shown[:, rows] + share)
        out[:, num_items : 2 * num_items] = rates.T
        out[:, 2 * num_items : -1] = self.bored[:, rows].T / (NUM_LEVELS - 1)
        out[:, -1] = self.patience[rows] / self.rules.patience

    def _picture(self, row: int) -> npt.NDArray[np.uint8]:
        slate = [item for item in self.slate[:, row].tolist() if item >= 0]
        choice = int(self.choice[row]) if self.choice[row] >= 0 else None
        taste, bored = self.taste[:, row].tolist(), self.bored[:, row].tolist()
        return picture(self.rules, taste, bored, slate, choice, int(self.patience[row]))
