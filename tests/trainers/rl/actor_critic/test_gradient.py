import numpy as np
import pytest
import torch
from gymnasium import spaces

from trivium.models.mlp import Mlp, MlpSettings
from trivium.trainers.rl.actor_critic.a2c import A2cSettings
from trivium.trainers.rl.actor_critic.gradient import Traced, WrittenOut, pass_of
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.environment.spaces import actions_of, observations_of

ACTIONS = {"discrete": spaces.Discrete(3), "box": spaces.Box(-1, 1, (2,), np.float32)}


def policy_of(
    action: str = "discrete", shared: bool = False, has_critic: bool = True, **model: object
) -> Policy:
    torch.manual_seed(0)
    plan = Plan(
        policy=A2cSettings(name="a2c"),
        rollout_steps=4,
        gae_lambda=0.9,
        value_coefficient=0.5,
        shared=shared,
        has_critic=has_critic,
    )
    settings = MlpSettings(name="mlp", **({"hidden": (8, 6), "activation": "tanh"} | model))
    observations = observations_of(spaces.Box(-1, 1, (2, 2), np.float32))
    return Policy(
        lambda size: Mlp(settings, observations.feature_shape, size),
        observations,
        actions_of(ACTIONS[action]),
        plan,
        10.0,
    )


CASES = [
    {},
    {"activation": "relu"},
    {"hidden": (5,)},
    {"hidden": ()},
    {"shared": True},
    {"has_critic": False},
    {"action": "box"},
    {"action": "box", "shared": True},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_passes_written_out_equal_autograd(case: dict[str, object]) -> None:
    policy = policy_of(**case)
    size = sum(p.numel() for p in policy.parameters())
    written, expected = torch.zeros(size), torch.zeros(size)
    fast, traced = pass_of(policy, written), Traced(policy)
    assert isinstance(fast, WrittenOut)
    obs = torch.randn(9, 2, 2)
    outputs, others = fast.forward(obs), traced.forward(obs)
    for one, other in zip(outputs, others, strict=True):
        torch.testing.assert_close(one, other.detach())
    by_parameters, by_values = torch.randn_like(outputs[0]), torch.randn(9)
    fast.backward(by_parameters, by_values, written)
    traced.backward(by_parameters, by_values, expected)
    torch.testing.assert_close(written, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [{"activation": "gelu"}, {"normalization": "layer"}, {"hidden": (6, 6), "residual": True}],
    ids=str,
)
def test_other_networks_are_left_to_autograd(model: dict[str, object]) -> None:
    policy = policy_of(**model)
    assert isinstance(pass_of(policy, torch.zeros(1)), Traced)
