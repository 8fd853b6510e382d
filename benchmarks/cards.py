"""Which ready-made jobs have a score card, and what each of them is to reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A ready-made job and what it is to reach."""

    job: str
    metric: str
    goal: float | None = None
    larger_is_better: bool = True
    num_seeds: int = 3
    source: str = ""
    """Where the goal comes from."""
    peer_env_steps: str = ""
    """Training steps of the peer whose score is the goal."""


SUPERVISED = (
    Card("mnist-cnn", "test/accuracy", 0.97),
    Card("fashion-mnist-cnn", "test/accuracy", 0.91),
    Card("reuters-lstm", "test/f1_macro"),
    Card("chinese-reviews-lstm", "test/accuracy"),
    Card("breast-cancer-mlp", "test/accuracy"),
    Card("diabetes-mlp", "test/rmse", larger_is_better=False),
    Card("movielens-mf", "test/rmse", larger_is_better=False),
)

ZOO, THRESHOLD, OPTIMUM = "RL Zoo", "threshold", "optimum"
NEAR_OPTIMUM = "98% of the optimum"


def _rl(job: str, goal: float, source: str, steps: str = "", num_seeds: int = 5) -> Card:
    return Card(job, "test/return_mean", goal, True, num_seeds, source, steps)


REINFORCEMENT = (
    _rl("cartpole-ppo", 500.0, ZOO, "100k"),
    _rl("cartpole-dqn", 500.0, ZOO, "50k"),
    _rl("cartpole-a2c", 500.0, ZOO, "500k"),
    _rl("cartpole-reinforce", 475.0, THRESHOLD),
    _rl("acrobot-ppo", -73.506, ZOO, "1M", 3),
    _rl("mountaincar-ppo", -110.423, ZOO, "1M"),
    _rl("mountaincar-dqn", -100.849, ZOO, "120k", 3),
    _rl("pendulum-ppo", -172.225, ZOO, "100k"),
    _rl("mountaincarcontinuous-ppo", 88.343, ZOO, "20k"),
    _rl("lunarlander-ppo", 242.119, ZOO, "1M", 3),
    _rl("lunarlander-dqn", 154.382, ZOO, "100k", 3),
    _rl("lunarlandercontinuous-ppo", 270.863, ZOO, "1M", 3),
    _rl("bipedalwalker-ppo", 287.939, ZOO, "5M", 3),
    _rl("hopper-ppo", 2410.435, ZOO, "1M", 3),
    _rl("doorkey-ppo", 0.9456, NEAR_OPTIMUM, num_seeds=3),
    _rl("griddrive-ppo", 0.853, NEAR_OPTIMUM, num_seeds=3),
    _rl("inventory-ppo", 47.1, NEAR_OPTIMUM, num_seeds=3),
    _rl("machinecare-ppo", 52.4, NEAR_OPTIMUM, num_seeds=3),
    _rl("recommend-ppo", 57.4, "best of greedy and UCB", num_seeds=3),
    _rl("frozenlake-q-learning", 0.725, NEAR_OPTIMUM),
    _rl("frozenlake-expected-sarsa", 0.725, NEAR_OPTIMUM),
    _rl("frozenlake8x8-q-learning", 0.876, NEAR_OPTIMUM),
    _rl("taxi-q-learning", 7.77, NEAR_OPTIMUM),
    _rl("cliffwalking-q-learning", -13.0, OPTIMUM),
    _rl("cliffwalking-sarsa", -13.0, OPTIMUM),
    _rl("blackjack-double-q-learning", -0.046, NEAR_OPTIMUM),
)
"""RL Zoo's are its benchmark.md at commit 22e3ff2: one run each, with the same algorithm (on
LunarLander-v2 and Hopper-v3, whose rewards are those of v3 and v5). The shares of an optimum come
from value iteration (tabular tasks, Inventory, MachineCare), A* (GridDrive) or a search through
all states (DoorKey)."""

CARDS = SUPERVISED + REINFORCEMENT
