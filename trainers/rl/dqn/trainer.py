"""`dqn`: action values by a network, from replayed transitions of many copies.

Left out: distributional values (C51, QR-DQN), noisy networks, learners on several machines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.exhibit import Metric
from trivium.platform.run import RunFolder
from trivium.trainers.rl.cost import COSTS
from trivium.trainers.rl.dqn.network import load_network, open_network
from trivium.trainers.rl.dqn.player import QPlayer
from trivium.trainers.rl.dqn.settings import DqnJob
from trivium.trainers.rl.trainer import RlTrainer, best_checkpoint

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm

METRICS = (
    Metric(
        "train/loss",
        "Mean loss of the gradient steps: the error of action values against their targets.",
        False,
        "Grows with the returns and need not fall; without bound together with train/q_mean it "
        "means divergence: lower lr, or a slower target.",
    ),
    Metric(
        "train/q_mean",
        "Mean value of the actions that were replayed.",
        True,
        "Settles near the discounted return from a typical state; far above what can be reached it "
        "is overestimated: set double.",
    ),
    Metric(
        "train/epsilon",
        "Probability of a random action.",
        False,
        "As its schedule says; while it is high, training returns are below greedy ones.",
    ),
)


class Dqn(RlTrainer):
    """Deep Q-learning (Mnih et al. 2015) and its usual extensions, each a setting."""

    job_type = DqnJob
    costs = COSTS
    changeable = tuple(
        f"algorithm.{name}"
        for name in (
            "lr", "gamma", "batch_size", "gradient_steps", "epsilon", "target_tau",
            "target_update_interval", "double", "loss", "max_grad_norm",
        )
    )  # fmt: skip
    job: DqnJob

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.dqn.algorithm import Dqn as DqnAlgorithm

        return DqnAlgorithm

    def load_player(self, folder: Path) -> QPlayer:
        """See `RlTrainer`; sampling takes the last epsilon of the schedule."""
        return QPlayer(load_network(self.job, folder), self.job.algorithm.epsilon.end)

    def own_metrics(self) -> Sequence[Metric]:
        """See `RlTrainer`."""
        return METRICS

    def own_facts(self) -> Sequence[tuple[str, str]]:
        """See `RlTrainer`."""
        from trivium.models.summary import summarize

        own = self.job.algorithm
        network = open_network(self.job)
        size = summarize(network).num_parameters
        shape, dtype = network.encoder.shape, "image" if network.encoder.kind == "image" else ""
        row_bytes = 2 * _count(shape) * (1 if dtype else 4) + 26
        ratio = own.gradient_steps * own.batch_size / own.train_interval_env_steps
        return (
            ("model", f"{self.job.model.name}, {size:,} parameters"),
            (
                "replay",
                f"{own.buffer_size:,} transitions, {own.buffer_size * row_bytes / 2**20:,.1f} MB",
            ),
            (
                "update",
                f"{own.gradient_steps} gradient steps of {own.batch_size} every "
                f"{own.train_interval_env_steps} environment steps: each transition is replayed "
                f"{ratio:.3g} times",
            ),
        )

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """See `RlTrainer`."""
        from trivium.trainers.rl.dqn.export import export_q_network

        return export_q_network(self.job, load_network(self.job, best_checkpoint(run)), folder)


def _count(shape: tuple[int, ...]) -> int:
    import math

    return math.prod(shape)
