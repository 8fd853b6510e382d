"""What `ppo`, `a2c` and `reinforce` have in common behind the seam."""

from pathlib import Path
from typing import TYPE_CHECKING

from trivium.trainers.rl.actor_critic.build import load_policy
from trivium.trainers.rl.actor_critic.player import PolicyPlayer
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.trainer import RlTrainer

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm


class ActorCriticTrainer(RlTrainer):
    """Base of the three entries; each names its job type, whose `plan()` is what they differ in."""

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See RlTrainer."""
        from trivium.trainers.rl.actor_critic.algorithm import ActorCritic

        return ActorCritic

    def load_player(self, folder: Path) -> Player:
        """See RlTrainer."""
        return PolicyPlayer(load_policy(self.job, self.job.plan(), folder))
