"""Targets and losses on networks whose values are known."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from trivium.models.mlp import Mlp, MlpSettings
from trivium.trainers.rl.dqn.gradient import Traced, pass_of, untraced
from trivium.trainers.rl.dqn.learner import Learner, loss_of
from trivium.trainers.rl.dqn.network import QNetwork, duel
from trivium.trainers.rl.dqn.replay import Drawn
from trivium.trainers.rl.dqn.settings import DqnSettings
from trivium.trainers.rl.environment.spaces import observations_of
from trivium.trainers.rl.observation_encoder import ObservationEncoder


class Values(nn.Module):
    """A table of action values, looked up by the number in the observation."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, obs):
        return self.values[obs[:, 0].long()]


def batch(weights=None):
    """Copy 0 goes on to state 1, copy 1 terminated, copy 2 was truncated in state 2."""
    return Drawn(
        rows=np.arange(3),
        obs=np.zeros((3, 1), np.float32),
        actions=np.array([0, 1, 0]),
        returns=np.array([1.0, 2.0, 3.0], np.float32),
        next_obs=np.array([[1.0], [1.0], [2.0]], np.float32),
        discounts=np.array([0.5, 0.0, 0.5], np.float32),
        weights=weights,
    )


def learner(**settings):
    own = Learner(Values([[0.0, 0.0], [5.0, 1.0], [1.0, 2.0]]), DqnSettings(name="dqn", **settings))
    own.target.values.copy_(torch.tensor([[9.0, 9.0], [2.0, 4.0], [8.0, 6.0]]))
    return own


def test_plain_targets_take_the_best_action_of_the_target_network():
    errors, loss, mean = learner(double=False, loss="mse").update(batch())
    assert errors.tolist() == [1 + 0.5 * 4, 2, 3 + 0.5 * 8]
    assert float(loss) == pytest.approx((9 + 4 + 49) / 3 / 2)
    assert float(mean) == 0


def test_double_targets_let_the_network_choose_and_the_target_value():
    errors, *_ = learner(double=True).update(batch())
    # The network prefers action 0 in state 1 and action 1 in state 2.
    assert errors.tolist() == [1 + 0.5 * 2, 2, 3 + 0.5 * 6]


def test_huber_is_quadratic_within_one_and_linear_beyond():
    values, aims = torch.tensor([0.0, 0.0]), torch.tensor([0.5, 3.0])
    loss, by_values = loss_of(values, aims, None, "huber")
    assert float(loss) == pytest.approx((0.125 + 2.5) / 2)
    assert by_values.tolist() == [-0.25, -0.5]


@pytest.mark.parametrize(("kind", "expected"), [("huber", (0.125 + 1.25) / 2), ("mse", 2.375 / 2)])
def test_importance_weights_scale_each_loss(kind, expected):
    values, aims = torch.tensor([0.0, 0.0]), torch.tensor([0.5, 3.0])
    weights = torch.tensor([1.0, 0.5])
    loss, by_values = loss_of(values, aims, weights, kind)
    assert float(loss) == pytest.approx(expected)
    assert by_values[1] == (-0.25 if kind == "huber" else -0.75)


def test_dueling_subtracts_the_mean_advantage():
    out = torch.tensor([[10.0, 1.0, 2.0, 6.0]])
    assert duel(out).tolist() == [[10 - 2, 10 - 1, 10 + 3]]


def test_a_hard_update_copies_every_so_many_steps():
    own = learner(target_update_interval=2)
    own.update(batch())
    assert own.target.values[0].tolist() == [9.0, 9.0]
    own.update(batch())
    assert torch.equal(own.target.values, own.network.values)


def test_a_soft_update_moves_by_its_share():
    own = learner(target_tau=0.25)
    before = own.target.values.clone()
    own.update(batch())
    assert torch.allclose(own.target.values, 0.75 * before + 0.25 * own.network.values)


def test_gradients_are_scaled_down_to_the_norm():
    own = learner(max_grad_norm=0.001, loss="mse")
    own.update(batch())
    norm = torch.linalg.vector_norm(own._gradient)
    assert float(norm) == pytest.approx(0.001, rel=1e-3)


def test_a_saved_state_goes_on_under_the_settings_of_now():
    first, second = learner(lr=0.1), learner(lr=0.02)
    first.update(batch())
    second.set_state(first.get_state())
    assert torch.equal(second.network.values, first.network.values)
    before = second.network.values.detach().clone()
    second.update(batch())
    assert float((second.network.values.detach() - before).abs().max()) == pytest.approx(
        0.02, rel=0.05
    )


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_written_out_values_and_gradients_are_those_of_autograd(dueling, activation):
    torch.manual_seed(0)
    settings = MlpSettings(name="mlp", hidden=(8, 8), activation=activation)
    model = Mlp(settings, (3,), 2 + dueling)
    encoder = ObservationEncoder(observations_of(spaces.Box(-1, 1, (3,), np.float32)))
    network = QNetwork(encoder, model, dueling)
    obs, by_values = torch.randn(5, 3), torch.randn(5, 2)
    size = sum(p.numel() for p in network.parameters())
    traced, written = torch.zeros(size), torch.zeros(size)
    for own, gradient in ((Traced(network, traced), traced), (pass_of(network, written), written)):
        with torch.no_grad():
            values = own.forward(obs).detach()
            own.backward(by_values)
            assert torch.allclose(values, network(obs), atol=1e-6)
            assert torch.allclose(values, untraced(network)(obs), atol=1e-6)
        assert float(gradient.abs().max()) > 0
    assert type(pass_of(network, written)).__name__ == "WrittenOut"
    assert torch.allclose(traced, written, atol=1e-6)
