"""`q_learning`, `sarsa`, `expected_sarsa`, `double_q_learning`: tables learned from many copies.

Left out: eligibility traces, planning, and observations that cannot be counted (see `dqn`).
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.exhibit import Exhibit, Metric
from trivium.platform.run import RunFolder
from trivium.platform.settings import build
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.tabular.player import TablePlayer, load_table
from trivium.trainers.rl.tabular.settings import EXPLORATIONS, TabularJob
from trivium.trainers.rl.tabular.shown import exhibits
from trivium.trainers.rl.tabular.simulator import describe_simulator, open_space
from trivium.trainers.rl.trainer import RlTrainer, best_checkpoint

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm

METRICS = (
    Metric(
        "train/td_error",
        "Mean absolute difference between target and table, in the last step of an update.",
        False,
        "Falls towards 0 in a deterministic environment; in a random one it stays at the spread "
        "of the targets.",
    ),
    Metric(
        "train/exploration",
        "Epsilon, temperature or bonus of the exploration rule.",
        False,
        "As its schedule says; while it is high, training returns are below greedy ones.",
    ),
)


class Tabular(RlTrainer):
    """Base of the four."""

    job_type = TabularJob
    job: TabularJob
    changeable = ("algorithm.lr", "algorithm.gamma", "algorithm.exploration.*")

    def own_metrics(self) -> Sequence[Metric]:
        """See `RlTrainer`."""
        return METRICS

    def own_facts(self) -> Sequence[tuple[str, str]]:
        """See `RlTrainer`."""
        states, num_actions = open_space(self.job.env)
        entries = states.num_states * num_actions
        per_update = self.job.algorithm.steps_per_update * self.job.env.num_envs
        return (
            (
                "table",
                f"{states.num_states:,} states x {num_actions} actions = {entries:,} entries",
            ),
            ("simulator", describe_simulator(self.job.env)),
            ("update", f"every {per_update:,} environment steps, learning in each"),
        )

    def own_exhibits(self, player: Player) -> Sequence[Exhibit]:
        """See `RlTrainer`: policy and value as a grid or matrices, and the table itself."""
        assert isinstance(player, TablePlayer)
        env = make_one(self.job.env)
        try:
            return exhibits(player.table, open_space(self.job.env)[0], env)
        finally:
            env.close()

    def load_player(self, folder: Path) -> TablePlayer:
        """See `RlTrainer`."""
        table, env_steps = load_table(folder)
        states, _ = open_space(self.job.env)
        exploration = build(self.job.algorithm.exploration, EXPLORATIONS, {})
        return TablePlayer(table, states, exploration, env_steps)

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """The table as CSV: each visited state with its greedy action and its action values."""
        player = self.load_player(best_checkpoint(run))
        states, num_actions = open_space(self.job.env)
        values, visits = player.table.mean, player.table.visits.sum(axis=(0, 2))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "q_table.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            parts = [f"state_{i}" for i in range(len(states.sizes))]
            rows.writerow([*parts, "greedy_action", *(f"q_{a}" for a in range(num_actions))])
            for row in visits.nonzero()[0]:
                own = values[row]
                rows.writerow([*states.parts(int(row)), int(own.argmax()), *map(float, own)])
        return [("the table of action values, a line per visited state", file)]


class QLearning(Tabular):
    """Learns towards the best next action."""

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.tabular.algorithm import QLearningAlgorithm

        return QLearningAlgorithm


class Sarsa(Tabular):
    """Learns towards the next action that its exploration takes."""

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.tabular.algorithm import SarsaAlgorithm

        return SarsaAlgorithm


class ExpectedSarsa(Tabular):
    """Learns towards the mean over the next actions that its exploration may take."""

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.tabular.algorithm import ExpectedSarsaAlgorithm

        return ExpectedSarsaAlgorithm


class DoubleQLearning(Tabular):
    """Learns two tables, each towards the other's value of its own best next action."""

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.tabular.algorithm import DoubleQLearningAlgorithm

        return DoubleQLearningAlgorithm
