import numpy as np

from trivium.trainers.rl.actor_critic.advantages import discounted_returns, gae


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def flags(*values: int) -> np.ndarray:
    return np.array(values, np.bool_)[:, None]


def test_gae_flows_back_over_steps() -> None:
    # delta = (1 + 0.5*4 - 2, 2 + 0.5*6 - 4) = (1, 1); gamma * lambda = 0.25
    advantages = gae(column(1, 2), column(2, 4), column(4, 6), flags(0, 0), flags(0, 0), 0.5, 0.5)
    assert advantages[:, 0].tolist() == [1.25, 1.0]


def test_gae_stops_at_termination_and_bootstraps_nothing() -> None:
    # delta_0 = 1 - 2 = -1 (terminated); delta_1 = 2 + 0.5*6 - 4 = 1 belongs to the next episode
    advantages = gae(column(1, 2), column(2, 4), column(4, 6), flags(1, 0), flags(0, 0), 0.5, 0.5)
    assert advantages[:, 0].tolist() == [-1.0, 1.0]


def test_gae_stops_at_truncation_and_bootstraps_the_final_value() -> None:
    # next_values[0] = 10 is the value of the final observation: delta_0 = 1 + 0.5*10 - 2 = 4
    advantages = gae(column(1, 2), column(2, 4), column(10, 6), flags(0, 0), flags(1, 0), 0.5, 0.5)
    assert advantages[:, 0].tolist() == [4.0, 1.0]


def test_gae_with_lambda_one_is_the_return_less_the_value() -> None:
    # 1 + 0.5 * (2 + 0.5 * 6) = 3.5, less 2; 2 + 0.5 * 6 = 5, less 4
    advantages = gae(column(1, 2), column(2, 4), column(4, 6), flags(0, 0), flags(0, 0), 0.5, 1.0)
    assert advantages[:, 0].tolist() == [1.5, 1.0]


def test_gae_with_both_ends_counts_as_terminated() -> None:
    advantages = gae(column(1), column(2), column(9), flags(1), flags(1), 0.5, 0.5)
    assert advantages[:, 0].tolist() == [-1.0]


def test_copies_do_not_mix() -> None:
    rewards = np.array([[1, 10], [2, 20]], np.float32)
    zeros, never = np.zeros_like(rewards), np.zeros((2, 2), np.bool_)
    advantages = gae(rewards, zeros, zeros, never, never, 1.0, 1.0)
    assert advantages.tolist() == [[3, 30], [2, 20]]


def test_returns_stop_at_termination() -> None:
    # 1 + 0.5*2 = 2 (ends), then 4 + 0.5*8 = 8
    returns = discounted_returns(
        column(1, 2, 4, 8), column(0, 0, 0, 0), flags(0, 1, 0, 1), flags(0, 0, 0, 0), 0.5
    )
    assert returns[:, 0].tolist() == [2, 2, 8, 8]


def test_returns_bootstrap_truncation_and_the_end_of_the_rollout() -> None:
    # truncated at 1 with a value of 6 there: 2 + 0.5*6 = 5, 1 + 0.5*5 = 3.5; end: 4 + 0.5*10 = 9
    returns = discounted_returns(
        column(1, 2, 4), column(0, 6, 10), flags(0, 0, 0), flags(0, 1, 0), 0.5
    )
    assert returns[:, 0].tolist() == [3.5, 5, 9]
