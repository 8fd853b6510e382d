"""An algorithm of RLlib itself behind the interface of our training loop."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.rllib.callbacks.callbacks import RLlibCallback

from trivium.platform.errors import RunFailed
from trivium.trainers.rl.algorithm import VectorAlgorithm
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.rllib.checkpoint import (
    left_out_state,
    make_runner,
    save_weights,
    set_left_out_state,
    set_weights,
    weights_of,
)
from trivium.trainers.rl.rllib.config import make_config, needs_ray
from trivium.trainers.rl.rllib.players import make_player
from trivium.trainers.rl.rllib.replay import get_replay, set_replay
from trivium.trainers.rl.rllib.settings import RllibJob
from trivium.trainers.rl.seeds import derive_seed

_NEW_EPISODES = (
    "RLlib cannot bring its environments back to the middle of an episode: new episodes start, so "
    "the numbers differ from a run that was not stopped"
)
_LOST_REPLAY = (
    "this replay buffer is of several agents, or larger than 1 GB, and is not in checkpoints: it "
    "fills anew, so learning may fall back for a while"
)


class EpisodeLog(RLlibCallback):  # type: ignore[misc]
    """Keeps the episodes that ended in the env runner of this process.

    RLlib cuts an unfinished episode at the end of each sample; its parts are added up here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.episodes: list[Episode] = []
        self._parts: dict[str, tuple[float, int]] = {}

    def on_episode_end(self, *, episode: Any, **_: Any) -> None:
        """Called by the env runner, with the last part of an episode."""
        total, length = self._parts.pop(episode.id_, (0.0, 0))
        total, length = total + float(episode.get_return()), length + len(episode)
        self.episodes.append(Episode(total, length, None))

    def on_sample_end(self, *, samples: Any, **_: Any) -> None:
        """Called by the env runner, with all parts that it hands over."""
        for part in samples:
            if not part.is_done:
                total, length = self._parts.get(part.id_, (0.0, 0))
                self._parts[part.id_] = total + float(part.get_return()), length + len(part)


class RllibAlgorithm(VectorAlgorithm):
    """Trains `stock`, the RLlib algorithm that the job names, an iteration an update.

    RLlib's own checkpoint has no replay buffer and no unfinished episode. A resumed run goes on
    with its weights, optimizers, counters and replay, in new episodes. Offline algorithms collect
    nothing: they go on exactly.
    """

    def prepare(self, job: RlJob) -> None:
        """See `VectorAlgorithm`."""
        assert isinstance(job, RllibJob)
        self._stack = contextlib.ExitStack()
        config = make_config(job)
        config.callbacks(EpisodeLog)
        if needs_ray(config):
            self._stack.enter_context(_ray(job))
        else:
            self._stack.enter_context(_without_ray())
        torch.manual_seed(derive_seed(job.seed, "rllib"))  # RLlib seeds its env runners only
        try:
            self.stock = config.build_algo()
        except Exception as error:
            self._stack.close()
            raise RunFailed(f"RLlib cannot build {job.algorithm.name}: {error}") from error
        self._buffer = getattr(self.stock, "local_replay_buffer", None)
        if self._buffer is not None and hasattr(self._buffer, "rng"):
            self._buffer.rng = np.random.default_rng(derive_seed(job.seed, "replay"))
        self._is_offline = job.algorithm.is_offline
        self._runner = make_runner(config)
        env = make_one(job.env)
        self._observation_space = env.observation_space
        env.close()
        self._env_steps = 0
        self._episodes: list[Episode] = []

    def update(self) -> Mapping[str, float]:
        """One iteration of RLlib."""
        result = self.stock.train()
        runners, learners = result.get("env_runners", {}), result.get("learners", {})
        if self._is_offline:
            all_modules = learners.get("__all_modules__", {})
            steps = all_modules.get("num_env_steps_trained_lifetime", 0)
        else:
            steps = result.get("num_env_steps_sampled_lifetime", 0)
        self._env_steps = max(self._env_steps + 1, int(steps)) if self._is_offline else int(steps)
        self._episodes += self._ended(runners)
        return {
            f"train/{name}": value
            for module, found in learners.items()
            if module != "__all_modules__"
            for name, value in _scalars(module, found, len(learners) > 2)
        }

    def _ended(self, runners: Mapping[str, Any]) -> list[Episode]:
        """Episodes of this process's env runner; of actors, RLlib tells the running mean only."""
        local = self.stock.env_runner
        logs = [c for c in getattr(local, "_callbacks", []) if isinstance(c, EpisodeLog)]
        if local is not None and not self.stock.config.num_env_runners:
            ended = [e for log in logs for e in log.episodes]
            for log in logs:
                log.episodes = []
            return ended
        mean, length = runners.get("episode_return_mean"), runners.get("episode_len_mean", 0)
        if mean is None or not math.isfinite(mean):
            return []
        return [Episode(float(mean), int(length), None)]

    @property
    def env_steps(self) -> int:
        """See `VectorAlgorithm`; of offline algorithms, the steps that were learned from."""
        return self._env_steps

    def take_episodes(self) -> list[Episode]:
        """See `VectorAlgorithm`."""
        taken, self._episodes = self._episodes, []
        return taken

    def player(self) -> Player:
        """See `VectorAlgorithm`."""
        set_weights(self._runner, weights_of(self.stock))
        return make_player(self._runner, self._observation_space)

    def save_weights(self, folder: Path) -> None:
        """See `VectorAlgorithm`."""
        save_weights(weights_of(self.stock), folder)

    def get_training_state(self) -> dict[str, Any]:
        """See `VectorAlgorithm`: RLlib's learners (weights, optimizers) and counters."""
        return {
            "learner_group": self.stock.learner_group.get_state(),
            "left_out": left_out_state(self.stock.learner_group),
            "torch": torch.get_rng_state(),
            "num_batches": self.stock.offline_data.num_batches if self._is_offline else 0,
            "metrics": self.stock.metrics.get_state(),
            "iteration": self.stock.iteration,
            "env_steps": self._env_steps,
            "replay": get_replay(self._buffer),
        }

    def set_training_state(self, state: dict[str, Any]) -> bool:
        """See `VectorAlgorithm`; exact for one offline learner on the CPU."""
        self.stock.learner_group.set_state(state["learner_group"])
        set_left_out_state(self.stock.learner_group, state["left_out"])
        torch.set_rng_state(state["torch"])
        if self._is_offline:
            self.stock.offline_data.num_batches = int(state["num_batches"])
        group = self.stock.env_runner_group
        if group is not None:
            group.sync_weights(
                from_worker_or_learner_group=self.stock.learner_group, inference_only=True
            )
        self.stock._iteration = int(state["iteration"])
        self.stock.metrics.set_state(state["metrics"])
        self._env_steps = int(state["env_steps"])
        replay = state.get("replay")
        if replay is not None:
            set_replay(self._buffer, replay)
        has_lost_replay = self._buffer is not None and replay is None
        self.inexact_resume = _LOST_REPLAY if has_lost_replay else _NEW_EPISODES
        config = self.stock.config
        is_elsewhere = config.num_learners or config.num_gpus_per_learner
        return self._is_offline and not is_elsewhere

    def cleanup(self) -> None:
        """Called by `stop`."""
        self.stock.stop()
        self._stack.close()


def _scalars(module: str, found: Any, is_many: bool) -> list[tuple[str, float]]:
    prefix = f"{module}/" if is_many else ""
    kept = []
    for name, value in dict(found).items():
        if name.startswith(("num_", "diff_num_", "module_train_batch")) or "seq_no" in name:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number) or "loss" in name:
            kept.append((prefix + name, number))
    return kept


@contextlib.contextmanager
def _without_ray() -> Iterator[None]:
    """RLlib puts its config and weights into Ray's object store even where no actor reads them,
    which would start a Ray of many processes: here an object stands for its own reference.
    """
    import ray

    before = ray.put, ray.get
    if ray.is_initialized():
        yield
        return

    def get(reference: Any, **_: Any) -> Any:
        return reference

    ray.put, ray.get = get, get
    try:
        yield
    finally:
        ray.put, ray.get = before


def _ray(job: RllibJob) -> contextlib.AbstractContextManager[bool]:
    from trivium.trainers.local_ray import ray_session

    actors = job.resources.num_env_runners + job.resources.num_learners
    return ray_session(num_cpus=actors + 2, working_dir=job.base)
