"""The loss of the actor-critic family, and its gradient by the network's outputs, in closed form.

    loss = policy loss + value_coefficient * value loss - entropy_coefficient * entropy

The policy loss is PPO's (Schulman et al. 2017, https://arxiv.org/abs/1707.06347). With a ratio of
1, as in the first and only update on a batch, its gradient is that of A2C's -A log p, so A2C runs
the same code; and REINFORCE is A2C whose advantage is the return.
"""

from typing import NamedTuple

import torch

from trivium.trainers.rl.actor_critic.distributions import Distribution


class Minibatch(NamedTuple):
    """N rows of a rollout."""

    obs: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    """[N] under the policy that acted."""
    advantages: torch.Tensor
    """[N]"""
    returns: torch.Tensor
    """[N] targets of the critic."""
    values: torch.Tensor
    """[N] what the critic said when the rollout was made."""


class Weights(NamedTuple):
    """What scales the parts of the loss in this update."""

    clip: float | None
    """Ratios are clipped to 1 +- this; None leaves them."""
    value_clip: float | None
    """The critic may move this far from its old values; None is off."""
    value: float
    entropy: float


STATISTICS = ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction")


def gradients(
    distribution: Distribution,
    parameters: torch.Tensor,
    values: torch.Tensor,
    batch: Minibatch,
    weights: Weights,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of the loss by `parameters` [N, P] and `values` [N], and STATISTICS as a tensor.

    Call it without tracing; then `torch.autograd.grad` from those outputs.
    """
    n = len(values)
    evaluated = distribution.evaluate(parameters, batch.actions)
    log_ratio = evaluated.log_prob - batch.log_probs
    ratio = log_ratio.exp()
    surrogate = ratio * batch.advantages
    if weights.clip is None:
        least, by_log_prob = surrogate, surrogate * (-1.0 / n)
        is_clipped = torch.zeros_like(ratio)
    else:
        within = ratio.clamp(1 - weights.clip, 1 + weights.clip)
        clipped = within * batch.advantages
        # The minimum takes the clipped side, which has no gradient, where it is smaller.
        by_log_prob = (surrogate * (surrogate <= clipped)).mul_(-1.0 / n)
        least = torch.minimum(surrogate, clipped)
        is_clipped = (within != ratio).float()
    by_entropy = torch.full_like(by_log_prob, -weights.entropy / n)
    by_parameters = distribution.gradient(evaluated, by_log_prob, by_entropy)
    by_values, squared = _value_gradient(values, batch, weights)
    # Unbiased and never negative, http://joschu.net/blog/kl-approx.html
    kl = (ratio - log_ratio).sub_(1.0)
    # One mean of all five: each operation costs more than its arithmetic.
    statistics = torch.stack((-least, squared, evaluated.entropy, kl, is_clipped)).mean(1)
    return by_parameters, by_values, statistics


def _value_gradient(
    values: torch.Tensor, batch: Minibatch, weights: Weights
) -> tuple[torch.Tensor, torch.Tensor]:
    """By `values` [N], and the squared errors [N]."""
    error = values - batch.returns
    squared = error * error
    scale = 2.0 * weights.value / len(values)
    if weights.value_clip is None:
        return error * scale, squared
    moved = values - batch.values
    clipped = batch.values + moved.clamp(-weights.value_clip, weights.value_clip)
    clipped_error = clipped - batch.returns
    clipped_squared = clipped_error * clipped_error
    is_free = moved.abs() <= weights.value_clip
    takes_clipped = clipped_squared > squared
    by_values = torch.where(takes_clipped, clipped_error * is_free, error) * scale
    return by_values, torch.maximum(squared, clipped_squared)
