"""RLlib as it comes, with the settings of its own examples: python rllib_stock.py TASK SEED.

CartPole: rllib/examples/algorithms/ppo/cartpole_ppo.py, with as many env runners as there are
cores less one, and its learner in the driver, which is faster here than the actor it asks for.
LunarLander has no example of its own; it gets PPO's defaults with RL Zoo's discount and lambda.
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


def main():
    task, seed = sys.argv[1:]
    logging.disable(logging.WARNING)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    runners = max(1, (os.cpu_count() or 2) - 1)
    config = (
        PPOConfig()
        .environment(TASKS[task].env)
        .env_runners(num_env_runners=runners, num_envs_per_env_runner=16)
        .debugging(seed=int(seed), log_level="ERROR")
    )
    if task == "cartpole":
        config.training(lr=0.0003, num_epochs=6, vf_loss_coeff=0.01).rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=[32], fcnet_activation="linear", vf_share_layers=True
            )
        )
    else:
        config.training(gamma=0.999, lambda_=0.98, entropy_coeff=0.01)
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
