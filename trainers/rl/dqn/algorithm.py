"""DQN as an RLlib algorithm: steps of all copies and gradient steps by turns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.algorithm import VectorAlgorithm
from trivium.trainers.rl.dqn.learner import Learner
from trivium.trainers.rl.dqn.network import make_network, save_network
from trivium.trainers.rl.dqn.player import QPlayer
from trivium.trainers.rl.dqn.replay import Replay
from trivium.trainers.rl.dqn.settings import DqnJob
from trivium.trainers.rl.environment.vector import Environments, Episode, check_rewards
from trivium.trainers.rl.environment.wrappers import ClipRewardSettings
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.normalize import RunningMoments
from trivium.trainers.rl.seeds import derive_seed

TINY = 200_000
"""Parameters below which a second thread costs more than it brings."""


class Dqn(VectorAlgorithm):
    """Deep Q-learning with double, dueling, n-step and prioritized replay as settings."""

    def prepare(self, job: RlJob) -> None:
        """See `VectorAlgorithm`."""
        assert isinstance(job, DqnJob)
        own = self._own = job.algorithm
        self._envs = Environments(job.env)
        self._envs.reset(derive_seed(job.seed, "envs"))
        network = make_network(job, self._envs.observations, self._envs.actions)
        if sum(p.numel() for p in network.parameters()) < TINY:
            torch.set_num_threads(1)
        wants_gpu = job.resources.gpus_per_worker != 0 and torch.cuda.is_available()
        network.to("cuda" if wants_gpu else "cpu")
        self._learner = Learner(network, own)
        self._player = QPlayer(network, 0.0)
        self._replay = Replay(
            own.buffer_size,
            self._envs.num_envs,
            self._envs.observations,
            own.gamma,
            own.n_step,
            own.prioritized.alpha if own.prioritized is not None else None,
        )
        self._rng = np.random.default_rng(derive_seed(job.seed, "learner"))
        self._env_steps = 0
        self._next_round = max(own.learning_starts, own.batch_size)
        self._clips = [w for w in job.env.wrappers if isinstance(w, ClipRewardSettings)]
        encoder = network.encoder
        self._moments = RunningMoments(encoder.shape) if encoder.clip is not None else None

    def update(self) -> Mapping[str, float]:
        """`steps_per_update` steps of all copies, with rounds of gradient steps in between."""
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        for _ in range(self._own.steps_per_update):
            self._step()
            while self._env_steps >= self._next_round:
                self._next_round += self._own.train_interval_env_steps
                found += [self._learn() for _ in range(self._own.gradient_steps)]
        report = {"train/epsilon": self._epsilon}
        if found:
            report["train/loss"] = float(torch.stack([loss for loss, _ in found]).mean())
            report["train/q_mean"] = float(torch.stack([q for _, q in found]).mean())
        return report

    def _step(self) -> None:
        obs = self._envs.obs
        actions = self._act(obs)
        step = self._envs.step(actions)
        rewards = step.rewards
        check_rewards(rewards)
        for clip in self._clips:
            rewards = rewards.clip(clip.low, clip.high)
        self._env_steps += self._replay.add(obs, actions, rewards, step)
        if self._moments is not None:
            self._normalize_by(obs)

    def _act(self, obs: NDArray[Any]) -> NDArray[np.int64]:
        count, choices = len(obs), self._envs.actions.sizes[0]
        epsilon = self._epsilon
        if epsilon >= 1.0:
            return self._rng.integers(choices, size=count)
        actions: NDArray[np.int64] = self._player.act(obs, self._envs.starting, False)
        tries = np.flatnonzero(self._rng.random(count) < epsilon)
        actions[tries] = self._rng.integers(choices, size=len(tries))
        return actions

    def _learn(self) -> tuple[torch.Tensor, torch.Tensor]:
        prioritized = self._own.prioritized
        beta = prioritized.beta.at(self._env_steps) if prioritized is not None else 0.0
        batch = self._replay.draw(self._own.batch_size, self._rng, beta)
        errors, loss, q_mean = self._learner.update(batch)
        if prioritized is not None:
            self._replay.set_errors(batch.rows, errors + prioritized.epsilon)
        return loss, q_mean

    def _normalize_by(self, obs: NDArray[Any]) -> None:
        assert self._moments is not None
        self._moments.add(obs)
        self._learner.update_statistics(
            torch.from_numpy(self._moments.mean.astype(np.float32)),
            torch.from_numpy(self._moments.variance.astype(np.float32)),
        )

    @property
    def _epsilon(self) -> float:
        if self._env_steps < self._own.learning_starts:
            return 1.0
        return self._own.epsilon.at(self._env_steps)

    @property
    def env_steps(self) -> int:
        """See `VectorAlgorithm`."""
        return self._env_steps

    def take_episodes(self) -> list[Episode]:
        """See `VectorAlgorithm`."""
        return self._envs.take_episodes()

    def player(self) -> QPlayer:
        """See `VectorAlgorithm`."""
        return QPlayer(self._learner.network, self._epsilon)

    def save_weights(self, folder: Path) -> None:
        """See `VectorAlgorithm`."""
        save_network(self._learner.network, folder)

    def get_training_state(self) -> dict[str, Any]:
        """See `VectorAlgorithm`."""
        return {
            "env_steps": self._env_steps,
            "next_round": self._next_round,
            "rng": self._rng.bit_generator.state,
            "learner": self._learner.get_state(),
            "replay": self._replay.get_state(),
            "moments": self._moments.get_state() if self._moments is not None else None,
            "envs": self._envs.get_state(),
        }

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """See `VectorAlgorithm`."""
        self._env_steps, self._next_round = int(state["env_steps"]), int(state["next_round"])
        self._rng.bit_generator.state = state["rng"]
        self._learner.set_state(state["learner"])
        self._replay.set_state(state["replay"])
        if self._moments is not None:
            self._moments.set_state(state["moments"])
        return state["envs"] is not None and self._envs.set_state(state["envs"])
