"""What each rule learns towards: the reward and the discounted value of where it led.

Legend: B copies, A actions. `following` are the action values of the states reached, [B, A]; an
episode that *terminated* has no future, one that was *truncated* by a time limit has: its value
is that of the state reached, though no action is taken there. Sources: Sutton and Barto 2018,
equations 6.7 to 6.9 and section 6.7; double: van Hasselt 2010.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


def q_learning(reward: Values, terminated: Flags, following: Values, gamma: float) -> Values:
    """R + gamma max_a Q(s', a), [B]."""
    # Along rows of a few actions, or columns not laid out as such, it takes ten times as long.
    best = np.maximum.reduce(np.ascontiguousarray(following.T), axis=0)
    targets: Values = reward + gamma * ~terminated * best
    return targets


def sarsa(
    reward: Values,
    terminated: Flags,
    following: Values,
    next_actions: NDArray[np.int64],
    gamma: float,
) -> Values:
    """R + gamma Q(s', a') for the action a' that the policy chose in s', [B]."""
    chosen = following[np.arange(len(following)), next_actions]
    targets: Values = reward + gamma * ~terminated * chosen
    return targets


def expected_sarsa(
    reward: Values, terminated: Flags, following: Values, probabilities: Values, gamma: float
) -> Values:
    """R + gamma sum_a pi(a | s') Q(s', a), [B]; `probabilities` of the policy in s' are [B, A]."""
    targets: Values = reward + gamma * ~terminated * (probabilities * following).sum(axis=1)
    return targets


def double_q_learning(
    reward: Values, terminated: Flags, own: Values, other: Values, gamma: float
) -> Values:
    """R + gamma Q_other(s', argmax_a Q_own(s', a)), [B]; ties go to the first action."""
    chosen = other[np.arange(len(own)), own.argmax(axis=1)]
    targets: Values = reward + gamma * ~terminated * chosen
    return targets
