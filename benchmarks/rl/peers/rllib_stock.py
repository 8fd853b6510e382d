"""RLlib as it comes, with the settings of its own examples: python rllib_stock.py SETTINGS SEED.

cartpole: rllib/examples/algorithms/ppo/cartpole_ppo.py as it is now. cartpole-older: the same file
of earlier releases, but with 16 copies as now, where it had one and took much longer.
lunarlander: there is no example; PPO's defaults with RL Zoo's discount, lambda and entropy, and 16
copies. All have as many env runners as there are cores less one, and the learner in the driver,
which is faster here than the actor that the example asks for.
"""

import logging
import os
import sys

import numpy as np
import ray
import torch
from race import TASKS, Race
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import Columns
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

SETTINGS = {
    "cartpole": {
        "train_batch_size_per_learner": 2048,
        "minibatch_size": 128,
        "lr": 0.0003,
        "num_epochs": 5,
        "vf_loss_coeff": 1.5,
        "clip_param": 0.3,
        "vf_clip_param": 10_000,
        "lambda_": 0.95,
    },
    "cartpole-older": {"lr": 0.0003, "num_epochs": 6, "vf_loss_coeff": 0.01},
    "lunarlander": {"gamma": 0.999, "lambda_": 0.98, "entropy_coeff": 0.01},
}


def main():
    settings, seed = sys.argv[1:]
    task = settings.partition("-")[0]
    logging.disable(logging.WARNING)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = PPOConfig().environment(TASKS[task].env).debugging(seed=int(seed), log_level="ERROR")
    runners = max(1, (os.cpu_count() or 2) - 1)
    config.env_runners(num_env_runners=runners, num_envs_per_env_runner=16)
    if task == "cartpole":
        config.rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=[32], fcnet_activation="linear", vf_share_layers=True
            )
        )
    config.training(**SETTINGS[settings])
    algorithm = config.build_algo()
    race = Race(task)

    @torch.inference_mode()
    def act(obs):
        module = algorithm.get_module()
        batch = {Columns.OBS: torch.from_numpy(np.asarray(obs, np.float32))}
        return module.forward_inference(batch)[Columns.ACTION_DIST_INPUTS].argmax(-1).numpy()

    steps = 0
    while not race.check(act, steps):
        result = algorithm.train()
        steps = int(result["num_env_steps_sampled_lifetime"])
    algorithm.stop()


main()
