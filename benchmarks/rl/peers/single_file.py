"""PPO in one file in the manner of CleanRL, with its settings: python single_file.py TASK SEED.

Written for this comparison after the description in "The 37 Implementation Details of PPO"
(https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/).
"""

import sys

import gymnasium
import numpy as np
import torch
from race import TASKS, Race
from torch import nn

NUM_ENVS, STEPS, EPOCHS, MINIBATCHES = 4, 128, 4, 4
LR, GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, NORM = 2.5e-4, 0.99, 0.95, 0.2, 0.01, 0.5, 0.5
BUDGET = 500_000


def layer(size, width, std=2**0.5):
    linear = nn.Linear(size, width)
    nn.init.orthogonal_(linear.weight, std)
    nn.init.zeros_(linear.bias)
    return linear


class Agent(nn.Module):
    def __init__(self, size, actions):
        super().__init__()
        make = lambda out, std: nn.Sequential(  # noqa: E731
            layer(size, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, out, std)
        )
        self.critic, self.actor = make(1, 1.0), make(actions, 0.01)

    def value(self, obs):
        return self.critic(obs).squeeze(-1)

    def act(self, obs, action=None):
        chosen = torch.distributions.Categorical(logits=self.actor(obs))
        action = chosen.sample() if action is None else action
        return action, chosen.log_prob(action), chosen.entropy(), self.value(obs)


def main():
    task, seed = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)
    make = lambda: gymnasium.make(TASKS[task].env)  # noqa: E731
    env = gymnasium.vector.SyncVectorEnv([make] * NUM_ENVS)
    size = env.single_observation_space.shape[0]
    agent = Agent(size, int(env.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=LR, eps=1e-5)
    race, env_steps = Race(task), 0
    greedy = lambda obs: agent.actor(torch.as_tensor(obs)).argmax(1).numpy()  # noqa: E731
    obs = torch.as_tensor(env.reset(seed=seed)[0])
    done = torch.zeros(NUM_ENVS)
    shape = (STEPS, NUM_ENVS)
    all_obs, actions = torch.zeros((*shape, size)), torch.zeros(shape, dtype=torch.int64)
    log_probs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))
    while not race.check(torch.no_grad()(greedy), env_steps):
        optimizer.param_groups[0]["lr"] = LR * max(0.05, 1 - env_steps / BUDGET)
        for t in range(STEPS):
            all_obs[t], dones[t] = obs, done
            with torch.no_grad():
                actions[t], log_probs[t], _, values[t] = agent.act(obs)
            found, reward, terminated, truncated, _ = env.step(actions[t].numpy())
            rewards[t] = torch.as_tensor(reward)
            obs, done = torch.as_tensor(found), torch.as_tensor(terminated | truncated).float()
        env_steps += STEPS * NUM_ENVS
        with torch.no_grad():
            following, advantages, last = agent.value(obs), torch.zeros(shape), 0.0
            for t in reversed(range(STEPS)):
                alive = 1 - (done if t == STEPS - 1 else dones[t + 1])
                ahead = following if t == STEPS - 1 else values[t + 1]
                delta = rewards[t] + GAMMA * ahead * alive - values[t]
                advantages[t] = last = delta + GAMMA * LAMBDA * alive * last
        flat = [x.flatten(0, 1) for x in (all_obs, actions, log_probs, advantages, values)]
        update(agent, optimizer, flat, (advantages + values).flatten())


def update(agent, optimizer, flat, returns):
    obs, actions, log_probs, advantages, values = flat
    rows = np.arange(len(returns))
    for _ in range(EPOCHS):
        np.random.shuffle(rows)
        for part in np.split(rows, MINIBATCHES):
            _, new, entropy, value = agent.act(obs[part], actions[part])
            ratio = (new - log_probs[part]).exp()
            advantage = advantages[part]
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
            policy_loss = torch.max(-advantage * ratio, -advantage * clipped).mean()
            moved = values[part] + (value - values[part]).clamp(-CLIP, CLIP)
            errors = torch.max((value - returns[part]) ** 2, (moved - returns[part]) ** 2)
            loss = policy_loss - ENTROPY * entropy.mean() + VALUE * 0.5 * errors.mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), NORM)
            optimizer.step()


main()
