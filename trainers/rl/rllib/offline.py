"""What BC, MARWIL, CQL and IQL learn from: recorded episodes, read into this process.

RLlib reads them through Ray Data, whose start takes longer than most of such trainings, and resumes
it elsewhere in the data. Here a batch is a function of the seed and of the count of batches drawn,
so that one seed gives one result, also over a stop. Left out: data larger than memory.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.offline.offline_data import OfflineData
from ray.rllib.utils.metrics import LEARNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME

from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import Observations, observations_of
from trivium.trainers.rl.episode_file import RecordedEpisode, read_episodes
from trivium.trainers.rl.rllib.environment import features

STEPWISE = ("CQL", "IQL")
"""They learn from single steps, drawn at random; the others from episodes, to sum rewards."""


def offline_config(config: Any, name: str, files: list[Path], env: EnvSettings) -> None:
    """Let `config`, of RLlib's offline algorithm `name`, learn from `files`."""
    config.offline_data(
        input_=[str(file) for file in files],
        input_read_method_kwargs={"env": env, "is_stepwise": name in STEPWISE},
        offline_data_class=RecordedData,
        dataset_num_iters_per_learner=config.dataset_num_iters_per_learner or 1,
    )
    config.algo_class = type(name, (LearnsFromEpisodes, config.algo_class), {})


class LearnsFromEpisodes:
    """Mixed into RLlib's algorithm: an iteration is some batches of `RecordedData`."""

    config: Any
    metrics: Any
    learner_group: Any
    offline_data: "RecordedData"

    def training_step(self) -> None:
        """Called by RLlib."""
        size = self.config.train_batch_size_per_learner * max(1, self.config.num_learners)
        sampled = NUM_ENV_STEPS_SAMPLED_LIFETIME
        for _ in range(self.config.dataset_num_iters_per_learner):
            self.metrics.log_value(sampled, size, reduce="lifetime_sum")
            results = self.learner_group.update(
                episodes=self.offline_data.draw(size),
                timesteps={sampled: self.metrics.peek(sampled)},
            )
            self.metrics.aggregate(results, key=LEARNER_RESULTS)


class RecordedData(OfflineData):  # type: ignore[misc]
    """Batches of the recorded episodes that the config names; made by RLlib."""

    num_batches: int
    """How many were drawn; all of its state."""

    def __init__(self, config: Any) -> None:  # RLlib's own would start Ray Data
        given = config.input_read_method_kwargs
        env = make_one(given["env"])
        try:
            files = [Path(name) for name in config.input_]
            recorded = read_episodes(files, env.observation_space, env.action_space)
            observations = observations_of(env.observation_space)
            bounds = _bounds(env.action_space) if config.normalize_actions else None
            start = getattr(env.action_space, "start", 0)  # RLlib counts discrete actions from 0
        finally:
            env.close()
        self.num_batches = 0
        self._seed = config.seed or 0
        self._gamma, self._n_step = config.gamma, config.get("n_step", 1)
        self._episodes = [
            _episode(number, episode, observations, start, bounds)
            for number, episode in enumerate(recorded)
        ]
        self._ends = np.cumsum([len(e) for e in self._episodes])
        self._buffer = _buffer(self._episodes) if given["is_stepwise"] else None

    def draw(self, num_steps: int) -> list[SingleAgentEpisode]:
        """The next batch: episodes, or pieces of them, of `num_steps` steps together."""
        number, self.num_batches = self.num_batches, self.num_batches + 1
        if self._buffer is None:
            return self._stretch(number * num_steps, num_steps)
        self._buffer.rng = np.random.default_rng((self._seed, number))
        drawn: list[SingleAgentEpisode] = self._buffer.sample(
            num_items=num_steps, n_step=self._n_step, gamma=self._gamma, sample_episodes=True
        )
        return drawn

    def _stretch(self, start: int, num_steps: int) -> list[SingleAgentEpisode]:
        """Steps `start` and on of the episodes put behind each other, shuffled for each pass."""
        total, found = int(self._ends[-1]), []
        while num_steps:
            one_pass, place = divmod(start, total)
            order = np.random.default_rng((self._seed, one_pass)).permutation(len(self._episodes))
            ends = np.cumsum([len(self._episodes[i]) for i in order])
            where = int(np.searchsorted(ends, place, side="right"))
            episode = self._episodes[order[where]]
            first = place - int(ends[where] - len(episode))
            count = min(len(episode) - first, num_steps)
            found.append(episode.slice(slice(first, first + count)))
            start, num_steps = start + count, num_steps - count
        return found


def _episode(
    number: int,
    recorded: RecordedEpisode,
    observations: Observations,
    start: Any,
    bounds: tuple[NDArray[Any], NDArray[Any]] | None,
) -> SingleAgentEpisode:
    actions = recorded.actions - start if np.any(start) else recorded.actions
    if bounds is not None:  # RLlib's networks give actions of -1 .. 1 of their bounds
        low, high = bounds
        actions = ((actions - low) / (high - low) * 2.0 - 1.0).astype(np.float32)
    return SingleAgentEpisode(
        id_=str(number),
        observations=list(features(observations, recorded.obs)),
        actions=list(actions),
        rewards=recorded.rewards.tolist(),
        terminated=recorded.terminated,
        truncated=not recorded.terminated,
        len_lookback_buffer=0,
    ).to_numpy()


def _bounds(space: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    from gymnasium import spaces

    is_bounded = isinstance(space, spaces.Box) and space.is_bounded()
    return (space.low, space.high) if is_bounded else None


def _buffer(episodes: list[SingleAgentEpisode]) -> Any:
    from ray.rllib.utils.replay_buffers.episode_replay_buffer import EpisodeReplayBuffer

    buffer = EpisodeReplayBuffer(capacity=sum(len(e) for e in episodes) + 1)
    buffer.add(episodes)
    return buffer
