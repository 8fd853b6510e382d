"""A vectorized simulator for Gymnasium's toy-text environments: FrozenLake, Taxi, CliffWalking.

These carry their dynamics as a table, `P[state][action] = [(probability, next state, reward,
terminated), ...]`, and step one copy at a time in Python. Here the table is compiled into arrays
and all copies step at once, with the same probabilities, rewards, endings and time limit. The
learner sees samples only, never the table: learning stays model-free, its simulator is faster.

Leaves out: Taxi's fickle passenger, which changes the state beside the table, and `info`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.tabular.envs import Finished, Transition

_KNOWN = ("FrozenLakeEnv", "CliffWalkingEnv", "TaxiEnv")


@dataclass(frozen=True)
class Dynamics:
    """Transition arrays; K is the largest number of outcomes of one state and action."""

    cumulative: NDArray[np.float64]
    """Cumulative probability of the outcomes, [S, A, K]; padding repeats 1."""
    next_state: NDArray[np.int64]
    """[S, A, K]."""
    reward: NDArray[np.float64]
    """[S, A, K]."""
    terminated: NDArray[np.bool_]
    """[S, A, K]."""
    initial: NDArray[np.float64]
    """Cumulative distribution of the first state, [S]."""


def dynamics_of(env: Any) -> Dynamics | None:
    """The dynamics of a toy-text environment, None when `env` is not wholly described by them."""
    base = env.unwrapped
    module = type(base).__module__
    if type(base).__name__ not in _KNOWN or not module.startswith("gymnasium.envs.toy_text."):
        return None
    return None if getattr(base, "fickle_passenger", False) else compile_table(base)


def compile_table(env: Any) -> Dynamics:
    """The arrays of `env.P` and `env.initial_state_distrib`."""
    num_states, num_actions = len(env.P), len(env.P[0])
    most = max(len(outcomes) for by_action in env.P.values() for outcomes in by_action.values())
    shape = (num_states, num_actions, most)
    cumulative, reward = np.ones(shape), np.zeros(shape)
    next_state, terminated = np.zeros(shape, np.int64), np.zeros(shape, bool)
    for state, by_action in env.P.items():
        for action, outcomes in by_action.items():
            total = 0.0
            for k, (probability, following, gain, ends) in enumerate(outcomes):
                total += probability
                cumulative[state, action, k] = total
                next_state[state, action, k:] = following
                reward[state, action, k:] = gain
                terminated[state, action, k:] = ends
            # Thirds add up to 0.99...: a draw above the last sum must still find an outcome.
            cumulative[state, action, len(outcomes) - 1 :] = 1.0
    initial = np.cumsum(np.asarray(env.initial_state_distrib, np.float64))
    initial[np.flatnonzero(env.initial_state_distrib)[-1] :] = 1.0
    return Dynamics(cumulative, next_state, reward, terminated, initial)


class ToyText:
    """B copies of an environment; a copy that ends starts again within the same step."""

    def __init__(
        self, dynamics: Dynamics, num_envs: int, max_steps: int | None, seed: int = 0
    ) -> None:
        num_states, num_actions, self._num_outcomes = dynamics.next_state.shape
        self._num_actions = num_actions
        # One row per outcome but the last: a step then works on whole columns, [K - 1, S * A].
        self._cumulative = dynamics.cumulative.reshape(num_states * num_actions, -1).T[:-1].copy()
        self._next_state = dynamics.next_state.reshape(-1)
        self._reward = dynamics.reward.reshape(-1)
        self._terminated = dynamics.terminated.reshape(-1)
        self._initial = dynamics.initial
        start = int(np.searchsorted(self._initial, 0.0, side="right"))
        self._only_first = start if self._initial[start] >= 1.0 else None
        self._max_steps = max_steps if max_steps is not None else np.iinfo(np.int64).max
        self._rng = np.random.default_rng(seed)
        self._lengths = np.zeros(num_envs, np.int64)
        self._returns = np.zeros(num_envs)
        self._finished = Finished()
        self.states = self._first(num_envs)

    def step(self, actions: NDArray[np.int64]) -> Transition:
        """All copies take `actions` [B]; `states` is then where they stand."""
        entry = self.states * self._num_actions + actions
        place = entry * self._num_outcomes
        if self._num_outcomes > 1:
            draw = self._rng.random(len(actions))
            for threshold in self._cumulative:
                place += draw >= threshold[entry]
        reached, reward = self._next_state[place], self._reward[place]
        terminated = self._terminated[place]
        self._lengths += 1
        self._returns += reward
        is_late = self._lengths >= self._max_steps
        truncated = is_late > terminated  # late, and not terminated
        self.states = reached
        (over,) = (terminated | is_late).nonzero()
        if len(over):
            self.states = reached.copy()
            self.states[over] = self._first(len(over))
            self._finished.add(self._returns[over], self._lengths[over])
            self._lengths[over] = 0
            self._returns[over] = 0.0
        return Transition(reached, reward, terminated, truncated, None)

    def take_episodes(self) -> list[Episode]:
        """The last of the episodes that ended since the last call."""
        return self._finished.take()

    def get_state(self) -> dict[str, Any]:
        """Plain data from which `set_state` goes on exactly."""
        return {
            "rng": self._rng.bit_generator.state,
            "states": self.states,
            "lengths": self._lengths,
            "returns": self._returns,
        }

    def set_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_state`; True, as it always comes back exactly."""
        self._rng.bit_generator.state = state["rng"]
        self.states, self._lengths = np.array(state["states"]), np.array(state["lengths"])
        self._returns = np.array(state["returns"])
        return True

    def _first(self, count: int) -> NDArray[np.int64]:
        if self._only_first is not None:
            return np.full(count, self._only_first)
        drawn: NDArray[np.int64] = np.searchsorted(
            self._initial, self._rng.random(count), side="right"
        )
        return drawn
