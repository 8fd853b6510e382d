"""Advantages and returns of a rollout, time first: T steps of B copies.

`terminated` ends the future: nothing is bootstrapped. `truncated` cuts it: the value of the final
observation is bootstrapped, and no advantage flows back over either. A row that only reset its
copy (not `valid`) is no step: its numbers are zero, and no advantage crosses it, since the row
before it ended.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def gae(
    rewards: Floats,
    values: Floats,
    next_values: Floats,
    terminated: Bools,
    truncated: Bools,
    gamma: float,
    gae_lambda: float,
) -> Floats:
    """Generalised advantage estimates (Schulman et al. 2016, https://arxiv.org/abs/1506.02438).

    Args:
        rewards: [T, B].
        values: [T, B] of the observations acted on.
        next_values: [T, B] of what followed; of the final observation where an episode ended.
        terminated: [T, B].
        truncated: [T, B].
        gamma: discount.
        gae_lambda: 1 gives discounted returns less values, 0 one-step differences.

    Returns:
        [T, B]; advantages + values are the targets of the critic.
    """
    deltas = rewards + gamma * next_values * ~terminated - values
    flows = (gamma * gae_lambda) * ~(terminated | truncated)
    flows = flows.astype(np.float32)
    advantages = np.empty_like(deltas, dtype=np.float32)
    following = np.zeros(rewards.shape[1], np.float32)
    for t in range(len(rewards) - 1, -1, -1):
        following = deltas[t] + flows[t] * following
        advantages[t] = following
    return advantages


def discounted_returns(
    rewards: Floats, next_values: Floats, terminated: Bools, truncated: Bools, gamma: float
) -> Floats:
    """Discounted sums of rewards to the episode's end, [T, B].

    The end of the rollout and truncation bootstrap from `next_values` [T, B]; give zeros there to
    count rewards alone, as REINFORCE without a critic does.
    """
    zeros = np.zeros_like(rewards)
    ends = truncated.copy()
    ends[-1] |= ~terminated[-1]
    return gae(rewards, zeros, next_values * ends, terminated, ends, gamma, 1.0)
