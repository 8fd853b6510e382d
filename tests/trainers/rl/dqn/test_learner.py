"""Targets and losses on networks whose values are known."""

import numpy as np
import pytest
import torch
from torch import nn

from trivium.trainers.rl.dqn.learner import Learner, loss_of
from trivium.trainers.rl.dqn.network import duel
from trivium.trainers.rl.dqn.replay import Drawn
from trivium.trainers.rl.dqn.settings import DqnSettings


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
    assert float(loss_of(values, aims, None, "huber")) == pytest.approx((0.125 + 2.5) / 2)


@pytest.mark.parametrize(("kind", "expected"), [("huber", (0.125 + 1.25) / 2), ("mse", 2.375 / 2)])
def test_importance_weights_scale_each_loss(kind, expected):
    values, aims = torch.tensor([0.0, 0.0]), torch.tensor([0.5, 3.0])
    weights = torch.tensor([1.0, 0.5])
    assert float(loss_of(values, aims, weights, kind)) == pytest.approx(expected)


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
    norm = torch.linalg.vector_norm(own.network.values.grad)
    assert float(norm) == pytest.approx(0.001, rel=1e-3)


def test_a_saved_state_goes_on_under_the_settings_of_now():
    first, second = learner(lr=0.1), learner(lr=0.02)
    first.update(batch())
    second.set_state(first.get_state())
    assert second._optimizer.param_groups[0]["lr"] == 0.02
    assert torch.equal(second.network.values, first.network.values)
