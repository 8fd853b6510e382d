"""How a tabular learner tries actions: epsilon-greedy, softmax (Boltzmann), UCB.

Every rule answers with the probabilities of all actions, from which actions are drawn and of which
expected SARSA takes its mean. Ties between best actions are shared equally, so a table of equal
values explores.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.decay import Decay, check_range, constant

Values = NDArray[np.float64]


class Exploration(ABC):
    """A rule; B copies choose among A actions at once."""

    uses_visits = False
    """Whether the rule reads how often each action was tried."""

    @abstractmethod
    def level(self, env_steps: int) -> float:
        """How much it explores now: epsilon, temperature or bonus."""

    @abstractmethod
    def probabilities(self, values: Values, visits: Values | None, env_steps: int) -> Values:
        """Probability of each action, [B, A], from action values and visit counts [B, A]."""

    def act(
        self, values: Values, visits: Values | None, env_steps: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """An action for each copy, [B], drawn from `probabilities`."""
        return draw(self.probabilities(values, visits, env_steps), rng)


class EpsilonGreedySettings(ComponentSettings):
    """Settings of `epsilon_greedy`."""

    name: str = "epsilon_greedy"
    epsilon: Decay = constant(0.1)
    """Probability of a random action: a number, or a decay {start, end, env_steps, shape}."""

    @field_validator("epsilon")
    @classmethod
    def _is_probability(cls, epsilon: Decay) -> Decay:
        return check_range(epsilon, "epsilon", most=1.0)


class EpsilonGreedy(Exploration):
    """With probability epsilon any action (the best among them), else the best."""

    def __init__(self, settings: EpsilonGreedySettings) -> None:
        self._epsilon = settings.epsilon

    def level(self, env_steps: int) -> float:
        """Epsilon."""
        return self._epsilon.at(env_steps)

    def probabilities(self, values: Values, visits: Values | None, env_steps: int) -> Values:
        """See `Exploration`."""
        epsilon = self.level(env_steps)
        shares: Values = epsilon / values.shape[1] + (1 - epsilon) * best_shares(values)
        return shares

    def act(
        self, values: Values, visits: Values | None, env_steps: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """The same distribution, drawn without its probabilities."""
        epsilon = self.level(env_steps)
        is_try = rng.random(len(values)) < epsilon if epsilon > 0 else None
        return best_actions(values, rng, is_try)


class SoftmaxSettings(ComponentSettings):
    """Settings of `softmax`."""

    temperature: Decay = constant(1.0)
    """Above 0, in units of return: high is random, low is greedy; a number or a decay."""

    @field_validator("temperature")
    @classmethod
    def _is_positive(cls, temperature: Decay) -> Decay:
        return check_range(temperature, "temperature", above=0.0)


class Softmax(Exploration):
    """Actions in proportion to exp(value / temperature)."""

    def __init__(self, settings: SoftmaxSettings) -> None:
        self._temperature = settings.temperature

    def level(self, env_steps: int) -> float:
        """Temperature."""
        return self._temperature.at(env_steps)

    def probabilities(self, values: Values, visits: Values | None, env_steps: int) -> Values:
        """See `Exploration`."""
        scaled = values - values.max(axis=1, keepdims=True)  # the largest exponent is 0
        weights = np.exp(scaled / self.level(env_steps))
        shares: Values = weights / weights.sum(axis=1, keepdims=True)
        return shares


class UcbSettings(ComponentSettings):
    """Settings of `ucb`."""

    bonus: float = Field(2.0, gt=0)
    """c of value + c sqrt(ln N(s) / n(s, a)), in units of return; larger tries longer."""


class Ucb(Exploration):
    """The best upper confidence bound (UCB1, Auer et al. 2002); untried actions come first.

    Copies in one state at one step choose alike, by lot between equals: many copies explore less
    by it than by the random rules.
    """

    uses_visits = True

    def __init__(self, settings: UcbSettings) -> None:
        self._bonus = settings.bonus

    def level(self, env_steps: int) -> float:
        """Bonus."""
        return self._bonus

    def probabilities(self, values: Values, visits: Values | None, env_steps: int) -> Values:
        """See `Exploration`."""
        assert visits is not None
        total = np.maximum(visits.sum(axis=1, keepdims=True), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = values + self._bonus * np.sqrt(np.log(total) / visits)
        return best_shares(np.where(visits > 0, bound, np.inf))


def best_shares(values: Values) -> Values:
    """1 for the best action of each row, shared equally between equals, [B, A]."""
    is_best = values >= values.max(axis=1, keepdims=True)
    shares: Values = is_best / is_best.sum(axis=1, keepdims=True)
    return shares


def best_actions(
    values: Values, rng: np.random.Generator, is_try: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The best action of each row, by lot between equals, [B]; any action where `is_try` [B]."""
    columns = np.ascontiguousarray(values.T)  # numpy is slow along rows of a few actions
    lots = rng.random(columns.shape)
    takes_part = columns >= np.maximum.reduce(columns, axis=0)
    if is_try is not None:
        takes_part |= is_try
    lots *= takes_part
    actions: NDArray[np.int64] = lots.argmax(axis=0)
    return actions


def draw(probabilities: Values, rng: np.random.Generator) -> NDArray[np.int64]:
    """One action per row of `probabilities` [B, A], by the inverse of their running sums."""
    sums = probabilities.cumsum(axis=1)
    lots = rng.random(len(sums)) * sums[:, -1]
    actions: NDArray[np.int64] = (sums[:, :-1] <= lots[:, None]).sum(axis=1)
    return actions
