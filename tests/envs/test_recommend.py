from typing import Any

import numpy as np
import pytest

from trivium.envs.evaluate import random_policy, returns
from trivium.envs.recommend.baseline import UCB, Greedy, Insider
from trivium.envs.recommend.env import RecommendEnv
from trivium.envs.recommend.rules import RecommendRules
from trivium.envs.recommend.vector import RecommendVectorEnv
from trivium.envs.registry import ENVS

NAME = "trivium/Recommend-v0"
CERTAIN = 0  # a word: the first item of the slate is clicked
NEVER = 65535  # nothing is, unless the slate is irresistible


def stepped(env: RecommendEnv, slate: list[int], word: int) -> tuple[Any, float, bool]:
    """A step whose choice is drawn with `word`, and in which no taste drifts."""
    calm = 32768
    env._draw = lambda: [word] + [calm] * env.rules.num_topics  # type: ignore[method-assign]
    observation, reward, terminated, _, _ = env.step(slate)
    return observation, reward, terminated


def new(**rules: Any) -> RecommendEnv:
    env = RecommendEnv(**rules)
    env.reset(seed=0)
    return env


def test_users_choose_by_the_conditional_logit_model() -> None:
    # Levels 15, 12 and 10 have the weights 3, 3 exp(-1.2) and, catchy, 6 exp(-2); nothing has 1.
    batch = RecommendVectorEnv(20_000)
    batch.reset(seed=0)
    batch.taste[:] = np.array([15, 12, 10, 0, 0, 0, 0, 0])[:, None]
    clicks = batch.step(np.tile([0, 2, 5], (20_000, 1)))[1]
    weights = np.array([3.0, 3.0 * np.exp(-1.2), 6.0 * np.exp(-2.0), 1.0])
    chances = weights / weights.sum()
    shares = [(batch.choice == item).mean() for item in (0, 2, 5, -1)]
    assert np.abs(shares - chances).max() < 4 * np.sqrt(0.25 / 20_000)
    assert clicks.mean() == pytest.approx(1.0 - shares[3])


def test_an_item_that_is_on_the_slate_twice_counts_once() -> None:
    batch = RecommendVectorEnv(20_000)
    batch.reset(seed=0)
    batch.taste[:] = 15
    batch.step(np.zeros((20_000, 3), dtype=np.int64))
    assert abs((batch.choice == 0).mean() - 0.75) < 4 * np.sqrt(0.25 / 20_000)
    assert batch.shown[0] == pytest.approx(np.full(20_000, 0.03))


def test_only_a_solid_item_gives_patience_back() -> None:
    env = new()
    env.patience = 5
    assert stepped(env, [1, 3, 5], CERTAIN)[1] == 1.0
    assert (env.choice, env.patience) == (1, 5)
    assert stepped(env, [2, 3, 5], CERTAIN)[1] == 1.0
    assert (env.choice, env.patience) == (2, 6)
    assert stepped(env, [2, 3, 5], NEVER)[1] == 0.0
    assert (env.choice, env.patience) == (None, 5)
    env.patience = env.rules.patience
    stepped(env, [2, 3, 5], CERTAIN)
    assert env.patience == env.rules.patience


def test_the_user_leaves_without_patience() -> None:
    env = new(patience=2)
    assert [stepped(env, [0, 1, 2], NEVER)[2] for _ in range(2)] == [False, True]


def test_a_click_bores_and_boredom_wears_off() -> None:
    env = new(boredom=4)
    stepped(env, [6, 1, 2], CERTAIN)
    assert env.bored[3] == 4
    stepped(env, [6, 1, 2], CERTAIN)
    assert env.bored[3] == 7
    for level in (6, 5, 4):
        observation, *_ = stepped(env, [0, 1, 2], NEVER)
        assert env.bored[3] == level
        assert observation[2 * 16 + 3] == np.float32(level / 15)


def test_shows_and_click_rates_fade() -> None:
    env = new(memory=0.5)
    stepped(env, [4, 1, 2], CERTAIN)
    assert (env.shown[4], env.clicked[4], env.shown[1], env.clicked[1]) == (0.5, 0.5, 0.5, 0.0)
    observation, *_ = stepped(env, [4, 8, 9], NEVER)
    assert (env.shown[4], env.clicked[4]) == (0.75, 0.25)
    assert observation[4] == 0.75
    assert observation[16 + 4] == np.float32((0.25 + 0.05) / 1.25)
    assert observation[16 + 15] == np.float32(0.1), "never shown"


def test_taste_drifts_as_often_as_stated() -> None:
    batch = RecommendVectorEnv(20_000, drift=0.2)
    batch.reset(seed=0)
    batch.taste[:] = 8
    batch.step(np.tile([0, 1, 2], (20_000, 1)))
    shares = np.bincount(batch.taste.ravel())[7:10] / batch.taste.size
    assert shares == pytest.approx([0.1, 0.8, 0.1], abs=0.004)


def test_who_knows_the_taste_beats_ucb_and_ucb_beats_chance() -> None:
    rules = RecommendRules()
    scores = [returns(NAME, p, 80) for p in (Insider(rules), UCB(rules), random_policy())]
    insider, ucb, chance = (score.mean() for score in scores)
    error = max(score.std() for score in scores) / 80**0.5
    assert insider - ucb > 3 * error and ucb - chance > 3 * error
    assert abs(ucb - ENVS[NAME].reward_threshold) < 4 * error


def test_greedy_shows_the_highest_rates_and_ucb_also_what_it_has_not_seen() -> None:
    env = new(memory=0.5, num_topics=2, slate_size=1)
    env.shown, env.clicked = [0.9, 0.9, 0.9, 0.0], [0.3, 0.2, 0.1, 0.0]
    assert Greedy(env.rules)(env) == [0]
    curious = UCB(env.rules)
    curious.bonus = 10.0
    assert curious(env) == [3]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"num_topics": 1}, "num_topics 1: must be from 2 to 64"),
        (
            {"num_topics": 2, "slate_size": 4},
            "slate_size 4: must be from 1 to 3, fewer than the 4 items",
        ),
        ({"drift": -0.1}, "drift -0.1: must be from 0 to 1"),
        ({"boredom": 16}, "boredom 16: must be from 0 to 15"),
        ({"catchiness": 0.5}, "catchiness 0.5: must be 1 or more"),
        ({"patience": 0}, "patience 0: must be 1 or more"),
        ({"memory": 1.0}, "memory 1.0: must be at least 0 and below 1"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        RecommendEnv(**rules)
    assert str(error.value) == message
