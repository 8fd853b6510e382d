import numpy as np

from trivium.trainers.rl.normalize import RewardScaler, RunningMoments


def test_moments_of_parts_equal_those_of_the_whole() -> None:
    data = np.random.default_rng(0).normal(3, 2, (100, 2))
    moments = RunningMoments((2,))
    for part in np.split(data, [10, 11, 60]):
        moments.add(part)
    np.testing.assert_allclose(moments.mean, data.mean(0))
    np.testing.assert_allclose(moments.variance, data.var(0))


def test_rewards_are_scaled_by_the_deviation_of_discounted_returns() -> None:
    # gamma 0.5; the episode ends after the second step: returns 4, 2 + 2 = 4, then 8 anew.
    scaler = RewardScaler(1, 0.5, 10.0)
    rewards = np.array([[4], [2], [8]], np.float32)
    ended = np.array([[0], [1], [0]], np.bool_)
    scaled = scaler.scale(rewards, ended)
    expected = rewards / np.std([4, 4, 8])
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)


def test_scaled_rewards_stay_within_their_clip() -> None:
    scaler = RewardScaler(1, 0.0, 1.5)
    rewards = np.array([[0], [0], [0], [100]], np.float32)
    assert scaler.scale(rewards, np.zeros((4, 1), np.bool_)).max() == 1.5
