"""What the learner of the actor-critic family reads: PPO's settings, of which the others set fewer."""

from dataclasses import dataclass
from typing import Literal

from trivium.trainers.rl.decay import Decay


@dataclass(frozen=True)
class Plan:
    """A resolved member of the family; see `ppo.py`, `a2c.py` and `reinforce.py` for the meanings."""

    lr: Decay
    gamma: float
    gae_lambda: float
    rollout_steps: int | None
    """None collects one whole episode of each copy instead."""
    epochs: int
    num_minibatches: int
    clip: Decay | None
    value_clip: float | None
    value_coefficient: float
    entropy_coefficient: Decay
    max_grad_norm: float | None
    target_kl: float | None
    normalize_advantages: bool
    has_critic: bool
    shared: bool
    memory: int | None
    action_bounds: Literal["clip", "tanh"]
    state_dependent_std: bool
    initial_log_std: float
    policy_gain: float | None
    adam_epsilon: float = 1e-5
