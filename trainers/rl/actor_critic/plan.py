"""What the learner of the family reads: PPO's settings in full, of which the others set fewer."""

from dataclasses import dataclass

from trivium.trainers.rl.actor_critic.settings import PolicySettings
from trivium.trainers.rl.decay import Decay


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A resolved member of the family; the settings of the same names say what they mean.

    The defaults are A2C's: one gradient step on each rollout.
    """

    policy: PolicySettings
    rollout_steps: int | None
    """None collects one whole episode of each copy instead."""
    gae_lambda: float
    value_coefficient: float
    shared: bool
    has_critic: bool = True
    epochs: int = 1
    num_minibatches: int = 1
    clip: Decay | None = None
    value_clip: float | None = None
    target_kl: float | None = None
