"""The RLlib `Algorithm` under every learner of ours: whole arrays instead of per-step objects.

RLlib keeps its outer life: `train()`, Tune, callbacks, checkpoints and the metrics logger work as
with any RLlib algorithm. Inside, `setup` builds no EnvRunnerGroup, no connectors and no
LearnerGroup, whose per-step Python objects are RLlib's cost on one machine (and no Ray cluster is
started for them). A subclass fills in `prepare`, `update`, `env_steps`, `take_episodes`,
`player`, `save_weights`, `get_training_state` and `set_training_state`.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from ray.tune import Trainable

from trivium.platform.state_file import read_state
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.plain_data import pack, unpack
from trivium.trainers.rl.player import Player

STATE = "state.pt"


class VectorConfig(AlgorithmConfig):  # type: ignore[misc]
    """RLlib's config that carries a whole job; everything of ours is read from `job`."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class)
        self.job: RlJob | None = None

    @classmethod
    def of(cls, job: RlJob, algo_class: type) -> "VectorConfig":
        """The config of `algo_class` for `job`, with what RLlib has names of its own for."""
        config = cls(algo_class)
        config.environment(job.env.id, env_config=dict(job.env.kwargs))
        config.env_runners(
            num_env_runners=job.resources.num_env_runners,
            num_envs_per_env_runner=job.env.num_envs,
        )
        config.learners(num_learners=job.resources.num_learners)
        config.debugging(seed=job.seed, log_level="ERROR")
        config.job = job
        return config


class VectorAlgorithm(Algorithm):  # type: ignore[misc]
    """Base of our RLlib algorithms; see the module's head for what a subclass fills in."""

    job: RlJob
    inexact_resume: str = (
        "this environment cannot be brought back to the middle of an episode: its copies start new "
        "episodes, so the numbers differ from a run that was not stopped"
    )
    """Why a resumed run's numbers differ, where `set_training_state` says so."""

    def prepare(self, job: RlJob) -> None:
        """Make environments, policy and learner for `job`; called once."""
        raise NotImplementedError

    def update(self) -> Mapping[str, float]:
        """Step the environments and learn once; what to report of it (`train/...` names)."""
        raise NotImplementedError

    @property
    def env_steps(self) -> int:
        """Environment steps learned from so far, over all copies and runners."""
        raise NotImplementedError

    def take_episodes(self) -> list[Episode]:
        """The training episodes that ended since the last call."""
        raise NotImplementedError

    def player(self) -> Player:
        """The current policy, to be evaluated; it must not disturb training's random numbers."""
        raise NotImplementedError

    def save_weights(self, folder: Path) -> None:
        """Write what `RlTrainer.load_player` reads: safetensors or JSON."""
        raise NotImplementedError

    def get_training_state(self) -> dict[str, Any]:
        """All that training goes on from: numbers, text, lists, dicts, arrays and tensors."""
        raise NotImplementedError

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """Go on from `get_training_state`; False when environments had to start new episodes."""
        raise NotImplementedError

    # RLlib's side.

    @classmethod
    def get_default_config(cls) -> VectorConfig:
        """The config type; a job is put in by `VectorConfig.of`."""
        return VectorConfig(cls)

    def setup(self, config: VectorConfig) -> None:
        """Called by RLlib's constructor: the callbacks, then `prepare` instead of RLlib's own."""
        assert config.job is not None, "make the config with VectorConfig.of(job, ...)"
        self.job = config.job
        classes = config.callbacks_class
        classes = classes if isinstance(classes, list | tuple) else [classes]
        self.callbacks = [kind() for kind in classes]
        self.env_runner_group = None
        self.spaces = None
        self.evaluation_config = config
        self.offline_data = None
        self.last_update: Mapping[str, float] = {}
        self.last_episodes: list[Episode] = []
        self._plain_config = config.to_dict()
        self._set_up_metrics()
        self.prepare(self.job)

    def get_auto_filled_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Trainable's, with the config as a dict that is made once, not copied in every result."""
        filled: dict[str, Any] = Trainable.get_auto_filled_metrics(self, *args, **kwargs)
        return filled | {"config": self._plain_config}

    def _setup_logdir(self) -> None:
        """Tune has a folder for a trial; else none, where RLlib makes one in ~/ray_results."""
        if self._storage:
            super()._setup_logdir()
        else:
            self._logdir = tempfile.gettempdir()

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """None to restore: there is no EnvRunnerGroup."""
        return []

    def advance(self) -> None:
        """One `update`; what `train` does less RLlib's result, which costs a millisecond."""
        self.last_update = self.update()
        self.last_episodes += self.take_episodes()

    def training_step(self) -> None:
        """One `update`, logged under RLlib's usual names too."""
        self.advance()
        for name, value in self.last_update.items():
            self.metrics.log_value((LEARNER_RESULTS, name), value, window=1)
        if self.last_episodes:
            mean = sum(e.episode_return for e in self.last_episodes) / len(self.last_episodes)
            self.metrics.log_value((ENV_RUNNER_RESULTS, "episode_return_mean"), mean, window=1)
        self.metrics.log_value(
            (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), self.env_steps, window=1
        )

    def take_last_episodes(self) -> list[Episode]:
        """The training episodes that ended since the last call, over all calls of `train`."""
        taken, self.last_episodes = self.last_episodes, []
        return taken

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Weights and training state as plain data: loading runs no pickled code."""
        folder = Path(checkpoint_dir)
        self.save_weights(folder)
        self.save_training_state(folder, {})

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from `save_checkpoint`."""
        self.load_training_state(Path(checkpoint_dir))

    def save_training_state(self, folder: Path, more: dict[str, Any]) -> None:
        """Write `state.pt`: the training state, with `more` beside it."""
        torch.save(
            {"training": pack(self.get_training_state()), "more": pack(more)}, folder / STATE
        )

    def load_training_state(self, folder: Path) -> tuple[bool, dict[str, Any]]:
        """Go on from `state.pt`; (whether environments came back exactly, what was beside it)."""
        state = read_state(folder / STATE)
        exact = self.set_training_state(unpack(state["training"]))
        return exact, unpack(state["more"])

    def cleanup(self) -> None:
        """Called by `stop`."""


def build(job: RlJob, kind: type[VectorAlgorithm]) -> VectorAlgorithm:
    """The RLlib algorithm `kind` for `job`, without a Ray cluster."""
    import logging

    for name in ("ray.rllib", "ray.tune", "ray._common", "ray._private"):
        logging.getLogger(name).setLevel(logging.ERROR)
    algorithm: VectorAlgorithm = VectorConfig.of(job, kind).build_algo()
    return algorithm
