"""Distributions over actions: their densities, entropies, gradients and samples, in closed form.

A network gives parameters [N, P]. The gradient of a loss by those parameters is written out here
instead of being traced: a tiny network's update is mostly the overhead of tracing its loss. Tests
compare each gradient with autograd. Actions are stored as environment/spaces.py says; a continuous
action is stored before it is bounded, u, and reaches the environment as `bounded(u)`.

Shapes: N rows, P parameters, n action dimensions.
"""

import math
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.environment.spaces import Actions

Array = NDArray[np.float32]


class Evaluated(NamedTuple):
    """Log density and entropy of actions under parameters, and what their gradient needs."""

    log_prob: torch.Tensor
    """[N]"""
    entropy: torch.Tensor
    """[N]"""
    saved: tuple[torch.Tensor, ...]


class Distribution(Protocol):
    """What a policy's output means."""

    num_parameters: int
    """P"""
    noise_shape: tuple[int, ...]
    """Random numbers that one action takes."""

    def evaluate(self, parameters: torch.Tensor, actions: torch.Tensor) -> Evaluated:
        """Log densities and entropies; call it without tracing."""

    def gradient(
        self, evaluated: Evaluated, by_log_prob: torch.Tensor, by_entropy: torch.Tensor
    ) -> torch.Tensor:
        """[N, P] of a loss whose gradients by log_prob [N] and entropy [N] are given."""

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Random numbers [*shape, *noise_shape] for `sample`."""

    def sample(self, parameters: Array, noise: Array) -> NDArray[Any]:
        """Actions [N, ...] drawn with `noise`."""

    def best(self, parameters: Array) -> NDArray[Any]:
        """The most likely actions [N, ...]."""

    def bounded(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions as the environment's space has them."""

    def kl(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Mean Kullback-Leibler divergence of parameters `new` [N, P] from `old`."""


class Categorical:
    """One or several independent choices; parameters are their logits side by side."""

    def __init__(self, actions: Actions) -> None:
        self.sizes = actions.sizes
        self.is_single = actions.kind == "discrete"
        self.num_parameters = sum(actions.sizes)
        self.noise_shape: tuple[int, ...] = (self.num_parameters,)

    def evaluate(self, parameters: torch.Tensor, actions: torch.Tensor) -> Evaluated:
        """See Distribution."""
        logs = self._log_softmax(parameters)
        chosen = actions.unsqueeze(1) if self.is_single else actions + self._starts(actions)
        probabilities = logs.exp()
        plogp = probabilities * logs
        log_prob = logs.gather(1, chosen)
        # Entropy of each choice, spread over its own columns, as the gradient needs it.
        if len(self.sizes) == 1:
            entropy = -plogp.sum(1)
            spread = entropy.unsqueeze(1)
            return Evaluated(log_prob[:, 0], entropy, (logs, probabilities, chosen, spread))
        parts = torch.stack([-part.sum(1) for part in plogp.split(self.sizes, 1)], 1)
        spread = parts.repeat_interleave(torch.tensor(self.sizes, device=parts.device), 1)
        return Evaluated(log_prob.sum(1), parts.sum(1), (logs, probabilities, chosen, spread))

    def gradient(
        self, evaluated: Evaluated, by_log_prob: torch.Tensor, by_entropy: torch.Tensor
    ) -> torch.Tensor:
        """D log p(a) / d logits = onehot(a) - p; d H / d logits = -p (log p + H)."""
        logs, probabilities, chosen, spread = evaluated.saved
        weight = by_log_prob.unsqueeze(1)
        gradient = (logs + spread).mul_(by_entropy.unsqueeze(1)).add_(weight).mul_(probabilities)
        return gradient.neg_().scatter_add_(1, chosen, weight.expand_as(chosen))

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Gumbel noise: the largest of logits + noise is a draw from the softmax."""
        exponential = generator.standard_exponential((*shape, *self.noise_shape), np.float32)
        np.maximum(exponential, 1e-30, out=exponential)
        return np.negative(np.log(exponential, out=exponential), out=exponential)

    def sample(self, parameters: Array, noise: Array) -> NDArray[Any]:
        """See Distribution."""
        return self.best(parameters + noise)

    def best(self, parameters: Array) -> NDArray[Any]:
        """See Distribution."""
        if self.is_single:
            chosen: NDArray[Any] = parameters.argmax(1)
            return chosen
        cuts = np.cumsum(self.sizes[:-1])
        return np.stack([part.argmax(1) for part in np.split(parameters, cuts, 1)], 1)

    def bounded(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Choices are what they are."""
        return actions

    def kl(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """See Distribution."""
        before, after = self._log_softmax(old), self._log_softmax(new)
        return (before.exp() * (before - after)).sum(1).mean()

    def _log_softmax(self, parameters: torch.Tensor) -> torch.Tensor:
        if len(self.sizes) == 1:
            return torch.log_softmax(parameters, 1)
        return torch.cat([torch.log_softmax(p, 1) for p in parameters.split(self.sizes, 1)], 1)

    def _starts(self, actions: torch.Tensor) -> torch.Tensor:
        return torch.tensor((0, *self.sizes[:-1]), device=actions.device).cumsum(0)


class Gaussian:
    """Independent normal distributions; parameters are means, then logarithms of deviations.

    The unbounded draw u reaches the environment cut to -1 .. 1 ("clip") or as tanh(u) ("tanh"),
    scaled to the space's bounds; a space without bounds gets u itself. Densities and entropies
    are those of u: between two policies the change of variables cancels.
    """

    def __init__(self, actions: Actions, bounds: Literal["clip", "tanh"]) -> None:
        size = len(actions.sizes)
        self.size, self.bounds = size, bounds
        self.num_parameters = 2 * size
        self.noise_shape: tuple[int, ...] = (size,)
        low = np.asarray(actions.space.low, np.float32).reshape(-1)
        high = np.asarray(actions.space.high, np.float32).reshape(-1)
        self.is_bounded = bool(np.isfinite(low).all() and np.isfinite(high).all())
        self.middle = (low + high) / 2 if self.is_bounded else np.zeros_like(low)
        self.half = (high - low) / 2 if self.is_bounded else np.ones_like(low)

    def evaluate(self, parameters: torch.Tensor, actions: torch.Tensor) -> Evaluated:
        """See Distribution."""
        mean, log_std = parameters.split(self.size, 1)
        inverse = (-log_std).exp()
        z = (actions - mean) * inverse
        constant = 0.5 * math.log(2 * math.pi)
        log_prob = (-0.5 * z * z - log_std - constant).sum(1)
        entropy = (log_std + (0.5 + constant)).sum(1)
        return Evaluated(log_prob, entropy, (z, inverse))

    def gradient(
        self, evaluated: Evaluated, by_log_prob: torch.Tensor, by_entropy: torch.Tensor
    ) -> torch.Tensor:
        """D log p / d mean = z / std; d log p / d log std = z^2 - 1; d H / d log std = 1."""
        z, inverse = evaluated.saved
        weight = by_log_prob.unsqueeze(1)
        by_log_std = (z * z - 1) * weight + by_entropy.unsqueeze(1)
        return torch.cat((z * inverse * weight, by_log_std), 1)

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Standard normal numbers."""
        return generator.standard_normal((*shape, *self.noise_shape), np.float32)

    def sample(self, parameters: Array, noise: Array) -> NDArray[Any]:
        """See Distribution."""
        return parameters[:, : self.size] + noise * np.exp(parameters[:, self.size :])

    def best(self, parameters: Array) -> NDArray[Any]:
        """See Distribution."""
        return parameters[:, : self.size]

    def bounded(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See the class."""
        if not self.is_bounded:
            return actions
        unit = np.tanh(actions) if self.bounds == "tanh" else np.clip(actions, -1.0, 1.0)
        scaled: NDArray[Any] = self.middle + self.half * unit
        return scaled

    def kl(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """See Distribution."""
        mean, log_std = old.split(self.size, 1)
        new_mean, new_log_std = new.split(self.size, 1)
        squares = (2 * log_std).exp() + (mean - new_mean).square()
        divergence = new_log_std - log_std + 0.5 * squares * (-2 * new_log_std).exp() - 0.5
        mean_divergence: torch.Tensor = divergence.sum(1).mean()
        return mean_divergence


def distribution_of(actions: Actions, bounds: Literal["clip", "tanh"] = "clip") -> Distribution:
    """The distribution for the actions of a space."""
    return Gaussian(actions, bounds) if actions.kind == "continuous" else Categorical(actions)
