"""The score to beat in MachineCare-v0, the optimum by value iteration, and two rules of thumb."""

from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.envs.machine_care.rules import MachineCareRules
from trivium.envs.random_streams import NUM_WORDS, table_probabilities


class Optimum:
    """The best that any policy can do, by value iteration over the levels of all machines.

    Backward induction over the steps left: exact for a finite number of steps and for the wear
    table of the environment. As a policy it takes the best action with all steps left, as it does
    not see the clock either.

    Attributes:
        values: expected return of the steps left, `[level of machine 0, level of machine 1, ...]`.
        actions: the best action with all steps left, of the same shape.
        bound: expected return from the starting states of a policy that counts the steps.
        mean_return: the same of this policy.
    """

    def __init__(self, rules: MachineCareRules, num_steps: int = 100) -> None:
        self.rules = rules
        moves = np.array(
            [
                [_padded(table_probabilities(row), rules.num_levels) for row in machine]
                for machine in rules.wear_table()
            ]
        )
        shape = (rules.num_levels,) * rules.num_machines
        rewards = rules.reward_table().reshape(*shape, rules.num_machines + 1)
        self.values = np.zeros(shape)
        self.actions = np.zeros(shape, dtype=np.int64)
        fixed = np.zeros(shape)
        closed = (rules.broken,) * rules.num_machines
        for _ in range(num_steps):
            gains = rewards + _expected(self.values, moves)
            gains[closed] = 0.0
            self.actions = gains.argmax(axis=-1)
            self.values = gains.max(axis=-1)
        for _ in range(num_steps):
            gains = rewards + _expected(fixed, moves)
            gains[closed] = 0.0
            fixed = np.take_along_axis(gains, self.actions[..., None], axis=-1)[..., 0]
        self.bound = _mean_over_starts(self.values, rules)
        self.mean_return = _mean_over_starts(fixed, rules)

    def __call__(self, env: Any) -> int:
        """The best action in the state of an unwrapped `MachineCareEnv`, its end far away."""
        return int(self.actions[tuple(env.levels)])


class CareAbove:
    """A rule of thumb: care for the most worn machine if its level is `level` or above."""

    def __init__(self, rules: MachineCareRules, level: int) -> None:
        self.level = level

    def __call__(self, env: Any) -> int:
        """The action in the state of an unwrapped `MachineCareEnv`."""
        worst = max(env.levels)
        return int(env.levels.index(worst)) + 1 if worst >= self.level else 0


def _expected(
    values: npt.NDArray[np.float64], moves: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Expected value `[levels ..., action]` of the next state, when the machines wear apart."""
    new = np.eye(moves.shape[-1])[[0] * moves.shape[-1]]
    by_action = []
    for action in range(values.ndim + 1):
        expected = values
        for machine in range(values.ndim):
            chances = new if machine == action - 1 else moves[machine]
            expected = np.moveaxis(np.tensordot(chances, expected, (1, machine)), 0, machine)
        by_action.append(expected)
    return np.stack(by_action, axis=-1)


def _mean_over_starts(values: npt.NDArray[np.float64], rules: MachineCareRules) -> float:
    starts = np.arange(NUM_WORDS) * rules.num_start_levels // NUM_WORDS
    weights = _padded(np.bincount(starts) / NUM_WORDS, rules.num_levels)
    for _ in range(rules.num_machines):
        values = np.tensordot(weights, values, (0, 0))
    return float(values)


def _padded(chances: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    return np.pad(chances, (0, length - len(chances)))
