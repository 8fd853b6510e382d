"""One vectorized step of tabular learning: act, step all copies, update the table."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.decay import Decay
from trivium.trainers.rl.tabular import targets
from trivium.trainers.rl.tabular.envs import StateEnvs, Transition
from trivium.trainers.rl.tabular.exploration import Exploration
from trivium.trainers.rl.tabular.table import QTable

Rule = Literal["q_learning", "sarsa", "expected_sarsa", "double_q_learning"]
Values = NDArray[np.float64]
Rows = NDArray[np.int64]


class TabularLearner:
    """Learns a `QTable` by one of four rules while it acts by an `Exploration`."""

    def __init__(
        self,
        rule: Rule,
        table: QTable,
        exploration: Exploration,
        rng: np.random.Generator,
        *,
        gamma: float,
        lr: Decay,
        average_first: bool = False,
    ) -> None:
        self.table = table
        self.env_steps = 0
        self._rule = rule
        self._exploration = exploration
        self._rng = rng
        self._gamma, self._lr, self._average_first = gamma, lr, average_first
        self._num_actions = table.values.shape[2]
        self._next_actions: Rows | None = None  # SARSA: chosen when the last targets were made

    def step(self, envs: StateEnvs) -> Values:
        """All copies take one step and the table learns from it; the errors it had, [B].

        Rows where a copy was only reset are left out of the errors.
        """
        states = envs.states
        actions = self._next_actions if self._next_actions is not None else self._act(states)
        step = envs.step(actions)
        entries = states * self._num_actions + actions
        if self._rule == "double_q_learning":
            which = self._rng.integers(2, size=len(states))
            entries += which * self.table.values[0].size
            aims = self._double_targets(step, which)
        else:
            aims = self._targets(step, envs.states)
        if step.valid is not None:
            entries, aims = entries[step.valid], aims[step.valid]
        rate = self._lr.at(self.env_steps)
        errors = self.table.update(entries, aims, rate, self._average_first)
        self.env_steps += len(entries)
        return errors

    def get_state(self) -> dict[str, Any]:
        """Plain data from which `set_state` goes on exactly."""
        return {
            "values": self.table.values,
            "visits": self.table.visits,
            "rng": self._rng.bit_generator.state,
            "env_steps": self.env_steps,
            "next_actions": self._next_actions,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self.table.values[:] = state["values"]
        self.table.visits[:] = state["visits"]
        self._rng.bit_generator.state = state["rng"]
        self.env_steps = int(state["env_steps"])
        self._next_actions = state["next_actions"]

    def _targets(self, step: Transition, states: Rows) -> Values:
        following = self.table.values[0].take(step.reached, axis=0)
        if self._rule == "q_learning":
            return targets.q_learning(step.reward, step.terminated, following, self._gamma)
        if self._rule == "expected_sarsa":
            visits = self._visits(step.reached)
            shares = self._exploration.probabilities(following, visits, self.env_steps)
            return targets.expected_sarsa(
                step.reward, step.terminated, following, shares, self._gamma
            )
        chosen = self._act(step.reached)
        aims = targets.sarsa(step.reward, step.terminated, following, chosen, self._gamma)
        # Where an episode ended, the action for its last state is never taken.
        ended = np.flatnonzero(states != step.reached)
        chosen[ended] = self._act(states[ended])
        self._next_actions = chosen
        return aims

    def _double_targets(self, step: Transition, which: Rows) -> Values:
        own = self.table.values[which, step.reached]
        other = self.table.values[1 - which, step.reached]
        return targets.double_q_learning(step.reward, step.terminated, own, other, self._gamma)

    def _act(self, states: Rows) -> Rows:
        values = self.table.values
        # `take` is a third of the time of an index in brackets.
        own = values[0].take(states, axis=0) if len(values) == 1 else values[:, states].mean(axis=0)
        return self._exploration.act(own, self._visits(states), self.env_steps, self._rng)

    def _visits(self, states: Rows) -> Values | None:
        if not self._exploration.uses_visits:
            return None
        visits: Values = self.table.visits[:, states].sum(axis=0)
        return visits
