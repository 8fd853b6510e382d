"""Q-learning as textbooks show it, one step at a time: python plain_tabular.py TASK SEED."""

import random
import sys

import gymnasium
import numpy as np
from race import TASKS, Race

# (learning rate, discount, start of epsilon, steps until it is 0.1, first value)
SETTINGS = {
    "frozenlake8x8": (0.1, 0.995, 1.0, 500_000, 0.0),
    "taxi": (0.5, 0.99, 1.0, 100_000, 0.0),
    "cliffwalking": (0.5, 1.0, 0.1, 1, 0.0),
}


def main():
    task, seed = sys.argv[1], int(sys.argv[2])
    lr, gamma, start, decay, first = SETTINGS[task]
    env = gymnasium.make(TASKS[task].env, **dict(TASKS[task].kwargs))
    random.seed(seed)
    table = np.full((env.observation_space.n, env.action_space.n), first)
    race, steps = Race(task), 0
    greedy = lambda obs: table[obs].argmax(1)  # noqa: E731
    state, _ = env.reset(seed=seed)
    while True:
        epsilon = max(0.1, start - (start - 0.1) * steps / decay)
        if random.random() < epsilon:
            action = random.randrange(env.action_space.n)
        else:
            best = np.flatnonzero(table[state] == table[state].max())
            action = int(random.choice(best))
        following, reward, terminated, truncated, _ = env.step(action)
        target = reward + gamma * table[following].max() * (not terminated)
        table[state, action] += lr * (target - table[state, action])
        steps += 1
        state = following
        if terminated or truncated:
            state, _ = env.reset()
        if steps % 1000 == 0 and race.check(greedy, steps):
            return


main()
