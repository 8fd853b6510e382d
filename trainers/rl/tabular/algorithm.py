"""Tabular learning as an RLlib algorithm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trivium.platform.settings import build
from trivium.trainers.rl.algorithm import VectorAlgorithm
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.seeds import derive_seed
from trivium.trainers.rl.tabular.learner import Rule, TabularLearner
from trivium.trainers.rl.tabular.player import TablePlayer, save_table
from trivium.trainers.rl.tabular.settings import EXPLORATIONS, TabularJob
from trivium.trainers.rl.tabular.simulator import make_envs, open_space
from trivium.trainers.rl.tabular.table import QTable


class TabularAlgorithm(VectorAlgorithm):
    """Base of the four; `rule` says what the table learns towards."""

    rule: Rule

    def prepare(self, job: RlJob) -> None:
        """See `VectorAlgorithm`."""
        assert isinstance(job, TabularJob)
        own = job.algorithm
        self._states, num_actions = open_space(job.env)
        self._envs = make_envs(job.env, self._states, derive_seed(job.seed, "envs"))
        self._exploration = build(own.exploration, EXPLORATIONS, {})
        num_tables = 2 if self.rule == "double_q_learning" else 1
        self._learner = TabularLearner(
            self.rule,
            QTable(num_tables, self._states.num_states, num_actions, own.initial_value),
            self._exploration,
            np.random.default_rng(derive_seed(job.seed, "learner")),
            gamma=own.gamma,
            lr=own.lr,
            average_first=own.average_first,
        )
        self._steps_per_update = own.steps_per_update

    def update(self) -> Mapping[str, float]:
        """`steps_per_update` steps of all copies, the table learning from each."""
        for _ in range(self._steps_per_update):
            errors = self._learner.step(self._envs)
        return {
            "train/td_error": float(np.abs(errors).mean()) if len(errors) else 0.0,
            "train/exploration": self._exploration.level(self.env_steps),
        }

    @property
    def env_steps(self) -> int:
        """See `VectorAlgorithm`."""
        return self._learner.env_steps

    def take_episodes(self) -> list[Episode]:
        """See `VectorAlgorithm`: the last 100 of them."""
        return self._envs.take_episodes()

    def player(self) -> TablePlayer:
        """See `VectorAlgorithm`."""
        return TablePlayer(self._learner.table, self._states, self._exploration, self.env_steps)

    def save_weights(self, folder: Path) -> None:
        """See `VectorAlgorithm`."""
        save_table(folder, self._learner.table, self.env_steps)

    def get_training_state(self) -> dict[str, Any]:
        """See `VectorAlgorithm`."""
        return {"learner": self._learner.get_state(), "envs": self._envs.get_state()}

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """See `VectorAlgorithm`."""
        self._learner.set_state(state["learner"])
        return state["envs"] is not None and self._envs.set_state(state["envs"])


class QLearningAlgorithm(TabularAlgorithm):
    """Towards the best action (Watkins 1989)."""

    rule = "q_learning"


class SarsaAlgorithm(TabularAlgorithm):
    """Towards the action taken next (Rummery and Niranjan 1994)."""

    rule = "sarsa"


class ExpectedSarsaAlgorithm(TabularAlgorithm):
    """Towards the mean over the actions that may be taken next (van Seijen et al. 2009)."""

    rule = "expected_sarsa"


class DoubleQLearningAlgorithm(TabularAlgorithm):
    """Two tables, each valued by the other's estimate of its best action (van Hasselt 2010)."""

    rule = "double_q_learning"
