"""Stable-Baselines3 with the settings that RL Zoo ships: python sb3.py TASK ALGORITHM SEED."""

import sys

import torch
from race import TASKS, Race
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env


def linear(start):  # RL Zoo writes lin_0.001
    return lambda left: left * start


# hyperparams/ppo.yml and dqn.yml of rl-baselines3-zoo; n_envs and n_timesteps go elsewhere.
SETTINGS = {
    ("cartpole", "ppo"): (
        8,
        100_000,
        {
            "n_steps": 32,
            "batch_size": 256,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "n_epochs": 20,
            "ent_coef": 0.0,
            "learning_rate": linear(0.001),
            "clip_range": linear(0.2),
        },
    ),
    ("lunarlander", "ppo"): (
        16,
        1_000_000,
        {
            "n_steps": 1024,
            "batch_size": 64,
            "gae_lambda": 0.98,
            "gamma": 0.999,
            "n_epochs": 4,
            "ent_coef": 0.01,
        },
    ),
    ("cartpole", "dqn"): (
        1,
        50_000,
        {
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "buffer_size": 100_000,
            "learning_starts": 1000,
            "gamma": 0.99,
            "target_update_interval": 10,
            "train_freq": 256,
            "gradient_steps": 128,
            "exploration_fraction": 0.16,
            "exploration_final_eps": 0.04,
            "policy_kwargs": {"net_arch": [256, 256]},
        },
    ),
}


class Watch(BaseCallback):
    """Looks at the race between environment steps."""

    def __init__(self, race):
        super().__init__()
        self.race = race

    def _on_step(self):
        act = lambda obs: self.model.predict(obs, deterministic=True)[0]  # noqa: E731
        return not self.race.check(act, self.num_timesteps)


def main():
    task, name, seed = sys.argv[1:]
    torch.set_num_threads(1)  # measured faster than 2 for these networks, as for everybody here
    num_envs, steps, settings = SETTINGS[task, name]
    env = make_vec_env(TASKS[task].env, num_envs, seed=int(seed))
    kind = {"ppo": PPO, "dqn": DQN}[name]
    model = kind("MlpPolicy", env, seed=int(seed), device="cpu", **settings)
    race = Race(task)
    while race.reached is None:  # RL Zoo's budget, and on from there with its last step sizes
        model.learn(steps, callback=Watch(race), reset_num_timesteps=False)


main()
