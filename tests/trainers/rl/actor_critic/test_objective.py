import pytest
import torch
from gymnasium import spaces

from trivium.trainers.rl.actor_critic.distributions import distribution_of
from trivium.trainers.rl.actor_critic.objective import Minibatch, Weights, gradients
from trivium.trainers.rl.environment.spaces import actions_of


def batch_of(n: int) -> tuple[torch.Tensor, torch.Tensor, Minibatch]:
    torch.manual_seed(1)
    parameters, values = torch.randn(n, 3), torch.randn(n)
    actions = torch.randint(0, 3, (n,))
    old = torch.randn(n, 3).mul(0.7).add(parameters)
    log_probs = old.log_softmax(1).gather(1, actions[:, None])[:, 0]
    old_values = values + torch.randn(n).mul(0.5)
    batch = Minibatch(
        torch.zeros(n, 1), actions, log_probs, torch.randn(n), torch.randn(n), old_values
    )
    return parameters, values, batch


def traced(parameters, values, batch: Minibatch, weights: Weights):
    """The loss as the papers write it, for autograd."""
    logs = parameters.log_softmax(1)
    ratio = (logs.gather(1, batch.actions[:, None])[:, 0] - batch.log_probs).exp()
    surrogate = ratio * batch.advantages
    if weights.clip is not None:
        clipped = ratio.clamp(1 - weights.clip, 1 + weights.clip) * batch.advantages
        surrogate = torch.min(surrogate, clipped)
    error = (values - batch.returns) ** 2
    if weights.value_clip is not None:
        moved = (values - batch.values).clamp(-weights.value_clip, weights.value_clip)
        error = torch.max(error, (batch.values + moved - batch.returns) ** 2)
    entropy = -(logs.exp() * logs).sum(1)
    return -surrogate.mean() + weights.value * error.mean() - weights.entropy * entropy.mean()


@pytest.mark.parametrize(
    "weights",
    [
        Weights(clip=0.2, value_clip=None, value=0.5, entropy=0.01),
        Weights(clip=0.2, value_clip=0.1, value=0.5, entropy=0.0),
        Weights(clip=None, value_clip=None, value=1.0, entropy=0.3),
    ],
)
def test_gradients_equal_autograd(weights: Weights) -> None:
    parameters, values, batch = batch_of(64)
    traced_parameters = parameters.clone().requires_grad_()
    traced_values = values.clone().requires_grad_()
    loss = traced(traced_parameters, traced_values, batch, weights)
    expected = torch.autograd.grad(loss, (traced_parameters, traced_values))

    distribution = distribution_of(actions_of(spaces.Discrete(3)))
    found = gradients(distribution, parameters, values, batch, weights)
    torch.testing.assert_close(found[0], expected[0], atol=1e-7, rtol=1e-4)
    torch.testing.assert_close(found[1], expected[1], atol=1e-7, rtol=1e-4)


def test_statistics_by_hand() -> None:
    # Two actions of equal probability before; now 0.75 and 0.25: ratios 1.5 and 0.5.
    distribution = distribution_of(actions_of(spaces.Discrete(2)))
    parameters = torch.tensor([[0.75, 0.25], [0.75, 0.25]]).log()
    half = torch.full((2,), 0.5).log()
    batch = Minibatch(
        torch.zeros(2, 1),
        torch.tensor([0, 1]),
        half,
        torch.tensor([1.0, 1.0]),
        torch.tensor([0.0, 4.0]),
        torch.zeros(2),
    )
    weights = Weights(clip=0.2, value_clip=None, value=0.5, entropy=0.0)
    _, _, statistics = gradients(distribution, parameters, torch.tensor([1.0, 1.0]), batch, weights)
    policy_loss, value_loss, entropy, kl, clip_fraction = statistics.tolist()
    assert policy_loss == pytest.approx(-(1.2 + 0.5) / 2)
    assert value_loss == pytest.approx((1 + 9) / 2)
    assert entropy == pytest.approx(0.5623, abs=1e-4)
    assert kl == pytest.approx(((0.5 - 0.405465) + (-0.5 + 0.693147)) / 2, abs=1e-5)
    assert clip_fraction == 1.0
