"""Mean return of 100 greedy episodes of a policy that RL Zoo's tuner kept. Argument: its file."""

import sys

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

if __name__ == "__main__":
    model = PPO.load(sys.argv[1], device="cpu")
    env = Monitor(gymnasium.make("CartPole-v1"))
    env.reset(seed=10_000)
    mean, _ = evaluate_policy(model, env, n_eval_episodes=100, deterministic=True)
    print(float(mean))
