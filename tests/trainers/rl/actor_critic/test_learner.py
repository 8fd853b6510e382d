import threading

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from trivium.trainers.rl.actor_critic.a2c import A2cSettings
from trivium.trainers.rl.actor_critic.learner import Learner, Share
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.decay import constant
from trivium.trainers.rl.environment.spaces import actions_of, observations_of
from trivium.trainers.rl.rollout import Rollout, empty_rollout

OBSERVATIONS = observations_of(spaces.Box(-1, 1, (3,), np.float32))
ACTIONS = actions_of(spaces.Discrete(2))


def plan_of(memory: int | None = None, **more: object) -> Plan:
    settings = A2cSettings(name="a2c", memory=memory, lr=constant(0.01), gamma=0.5)
    fields = {"rollout_steps": 4, "gae_lambda": 0.9, "value_coefficient": 0.5, "shared": False}
    return Plan(policy=settings, **(fields | more))


def policy_of(plan: Plan) -> Policy:
    torch.manual_seed(0)

    def make_network(size: int) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, size))

    return Policy(make_network, OBSERVATIONS, ACTIONS, plan, None)


def rollout_of(plan: Plan, copies: int = 6) -> Rollout:
    generator = np.random.default_rng(0)
    rollout = empty_rollout(4, copies, OBSERVATIONS, ACTIONS, 2)
    rollout.obs[:] = generator.normal(size=rollout.obs.shape)
    rollout.actions[:] = generator.integers(0, 2, rollout.actions.shape)
    rollout.rewards[:] = generator.normal(size=rollout.rewards.shape)
    rollout.valid[:] = True
    rollout.truncated[1, 0] = True
    rollout.valid[2, 0] = False
    rollout.starting[3, 0] = True
    rollout.terminated[2, 1] = True
    rollout.starting[3, 1] = True
    if plan.policy.memory is not None:
        zeros = np.zeros((copies, plan.policy.memory), np.float32)
        rollout.memory = (zeros, zeros)
    return rollout


def weights_after(learners: int, plan: Plan) -> tuple[np.ndarray, dict[str, float]]:
    """The weights after three updates by `learners` threads that sum their gradients."""
    policies = [policy_of(plan) for _ in range(learners)]
    barrier = threading.Barrier(learners)
    parts: list[torch.Tensor | None] = [None] * learners
    found: list[dict[str, float]] = [{}] * learners
    failures: list[Exception] = []

    def learn(index: int) -> None:
        def add_up(tensor: torch.Tensor) -> None:
            parts[index] = tensor.clone()
            barrier.wait(10)
            total = torch.stack([p for p in parts if p is not None]).sum(0)
            barrier.wait(10)
            tensor.copy_(total)

        learner = Learner(policies[index], plan, 7, Share(index, learners, add_up))
        try:
            for _ in range(3):
                found[index] = learner.update(rollout_of(plan), 0)
        except Exception as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=learn, args=(i,)) for i in range(learners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    flat = [np.concatenate([p.detach().numpy().ravel() for p in q.parameters()]) for q in policies]
    assert all(np.array_equal(flat[0], other) for other in flat)
    return flat[0], found[0]


@pytest.mark.parametrize("memory", [None, 4])
@pytest.mark.parametrize("count", [2, 3])
def test_several_learners_equal_one_on_the_joined_batch(count: int, memory: int | None) -> None:
    plan = plan_of(memory, epochs=2, num_minibatches=2, clip=constant(0.2))
    one, statistics = weights_after(1, plan)
    several, others = weights_after(count, plan)
    np.testing.assert_allclose(several, one, atol=2e-6)
    assert others == pytest.approx(statistics, rel=2e-3, abs=2e-6)


def test_rows_that_only_reset_change_nothing() -> None:
    plan = plan_of()
    policies = [policy_of(plan), policy_of(plan)]
    for policy, noise in zip(policies, (0.0, 5.0), strict=True):
        rollout = rollout_of(plan)
        rollout.actions[2, 0] = noise > 0
        rollout.parameters[2, 0] = noise
        Learner(policy, plan, 0).update(rollout, 0)
    for one, other in zip(policies[0].parameters(), policies[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_truncated_episode_is_worth_its_own_final_observation() -> None:
    plan = plan_of()
    learner = Learner(policy_of(plan), plan, 0)
    rollout = rollout_of(plan)
    final = np.full((1, 3), 0.25, np.float32)
    rollout.finals = [(1, np.array([0]), final)]
    values, next_values = learner._values(rollout)
    expected = policy_of(plan).values(torch.from_numpy(final)).item()
    assert next_values[1, 0] == pytest.approx(expected)
    assert np.array_equal(next_values[:3, 1:], values[1:, 1:])


def test_a2c_is_ppo_with_one_step_whatever_the_clip() -> None:
    results = []
    for clip in (None, constant(0.2), constant(0.01)):
        policy, plan = policy_of(plan_of()), plan_of(clip=clip)
        rollout = rollout_of(plan)
        with torch.no_grad():
            flat = torch.from_numpy(rollout.obs[:-1]).flatten(0, 1)
            rollout.parameters[:] = policy.act(flat).numpy().reshape(rollout.parameters.shape)
        Learner(policy, plan, 0).update(rollout, 0)
        results.append(np.concatenate([p.detach().numpy().ravel() for p in policy.parameters()]))
    np.testing.assert_allclose(results[1], results[0], atol=1e-7)
    np.testing.assert_allclose(results[2], results[0], atol=1e-7)


def test_memory_learns_on_the_sequences_it_acted_on() -> None:
    plan = plan_of(4)
    policy, rollout = policy_of(plan), rollout_of(plan_of(4))
    obs, starting = torch.from_numpy(rollout.obs), torch.from_numpy(rollout.starting)
    memory = policy.initial_memory(6)
    rows = []
    for t in range(5):
        parameters, _, memory = policy.step(obs[t], starting[t], memory)
        rows.append(parameters)
    whole, _ = policy.sequence(obs, starting, policy.initial_memory(6))
    torch.testing.assert_close(whole, torch.stack(rows))


def test_an_update_ends_early_when_the_policy_moved_too_far() -> None:
    settings = {"epochs": 5, "num_minibatches": 2}
    free = Learner(policy_of(plan_of()), plan_of(**settings), 0)
    held = Learner(policy_of(plan_of()), plan_of(**settings, target_kl=1e-9), 0)
    assert free.update(rollout_of(plan_of()), 0)["gradient_steps"] == 10
    assert held.update(rollout_of(plan_of()), 0)["gradient_steps"] == 2
