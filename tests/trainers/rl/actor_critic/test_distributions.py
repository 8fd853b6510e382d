import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from trivium.trainers.rl.actor_critic.distributions import Categorical, Gaussian, distribution_of
from trivium.trainers.rl.environment.spaces import actions_of

SPACES = {
    "discrete": spaces.Discrete(3),
    "multi_discrete": spaces.MultiDiscrete([2, 3, 2]),
    "continuous": spaces.Box(-1, 1, (2,), np.float32),
}


def reference(kind: str, parameters: torch.Tensor, actions: torch.Tensor):
    """Log density and entropy by torch.distributions, traced."""
    if kind == "continuous":
        mean, log_std = parameters.chunk(2, 1)
        normal = torch.distributions.Normal(mean, log_std.exp())
        return normal.log_prob(actions).sum(1), normal.entropy().sum(1)
    sizes = [3] if kind == "discrete" else [2, 3, 2]
    columns = actions.reshape(len(actions), -1).unbind(1)
    parts = [torch.distributions.Categorical(logits=p) for p in parameters.split(sizes, 1)]
    log_prob = sum(d.log_prob(a) for d, a in zip(parts, columns, strict=True))
    return log_prob, sum(d.entropy() for d in parts)


@pytest.mark.parametrize("kind", SPACES)
def test_densities_entropies_and_gradients_equal_autograd(kind: str) -> None:
    torch.manual_seed(0)
    distribution = distribution_of(actions_of(SPACES[kind]))
    parameters = torch.randn(6, distribution.num_parameters, requires_grad=True)
    generator = np.random.default_rng(0)
    noise = distribution.noise(generator, (6,))
    actions = torch.from_numpy(np.array(distribution.sample(parameters.detach().numpy(), noise)))
    by_log_prob, by_entropy = torch.randn(6), torch.randn(6)

    log_prob, entropy = reference(kind, parameters, actions)
    loss = (log_prob * by_log_prob + entropy * by_entropy).sum()
    (expected,) = torch.autograd.grad(loss, parameters)

    evaluated = distribution.evaluate(parameters.detach(), actions)
    torch.testing.assert_close(evaluated.log_prob, log_prob.detach())
    torch.testing.assert_close(evaluated.entropy, entropy.detach())
    gradient = distribution.gradient(evaluated, by_log_prob, by_entropy)
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-5)


def test_choices_are_drawn_as_often_as_their_probabilities_say() -> None:
    distribution = Categorical(actions_of(spaces.Discrete(3)))
    logits = np.log(np.tile(np.array([[0.2, 0.3, 0.5]], np.float32), (20_000, 1)))
    noise = distribution.noise(np.random.default_rng(0), (20_000,))
    shares = np.bincount(distribution.sample(logits, noise), minlength=3) / 20_000
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.01)


def test_several_choices_are_drawn_apart() -> None:
    distribution = Categorical(actions_of(spaces.MultiDiscrete([2, 3])))
    logits = np.array([[0, 9, 0, 0, 9], [9, 0, 9, 0, 0]], np.float32)
    assert distribution.best(logits).tolist() == [[1, 2], [0, 0]]


def test_continuous_actions_reach_the_bounds_of_their_space() -> None:
    actions = actions_of(spaces.Box(np.float32([0, -2]), np.float32([10, 2])))
    clip, tanh = Gaussian(actions, "clip"), Gaussian(actions, "tanh")
    u = np.array([[-3.0, 0.0], [0.5, 3.0]], np.float32)
    assert clip.bounded(u).tolist() == [[0, 0], [7.5, 2]]
    np.testing.assert_allclose(tanh.bounded(u)[0], [5 + 5 * math.tanh(-3), 0], atol=1e-5)


def test_actions_without_bounds_are_left_alone() -> None:
    actions = actions_of(spaces.Box(-np.inf, np.inf, (1,), np.float32))
    assert Gaussian(actions, "clip").bounded(np.array([[7.0]], np.float32)).tolist() == [[7.0]]


def test_divergence_of_choices_by_hand() -> None:
    distribution = Categorical(actions_of(spaces.Discrete(2)))
    old, new = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    expected = 0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)
    assert float(distribution.kl(old, new)) == pytest.approx(expected, rel=1e-5)


def test_divergence_of_normals_by_hand() -> None:
    distribution = Gaussian(actions_of(spaces.Box(-1, 1, (1,), np.float32)), "clip")
    old, new = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, math.log(2.0)]])
    # log(2 / 1) + (1 + 1) / (2 * 4) - 1 / 2
    assert float(distribution.kl(old, new)) == pytest.approx(math.log(2) + 0.25 - 0.5, rel=1e-5)
