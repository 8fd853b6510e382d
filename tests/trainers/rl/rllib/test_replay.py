"""The replay buffers of RLlib's off-policy algorithms come back from a checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.replay_buffers.episode_replay_buffer import EpisodeReplayBuffer
from ray.rllib.utils.replay_buffers.prioritized_episode_buffer import PrioritizedEpisodeReplayBuffer

from trivium.platform.state_file import read_state
from trivium.trainers.rl.plain_data import pack, unpack
from trivium.trainers.rl.rllib import replay
from trivium.trainers.rl.rllib.replay import get_replay, set_replay

BUFFERS = {
    "even": lambda: EpisodeReplayBuffer(capacity=64),
    "by priority": lambda: PrioritizedEpisodeReplayBuffer(capacity=64),
}


def filled(make: Any) -> Any:
    """A buffer that has given up its first episodes, with priorities of its own."""
    buffer = make()
    buffer.rng = np.random.default_rng(1)
    for number in range(9):
        steps = np.arange(10.0) + 10 * number
        episode = SingleAgentEpisode(
            observations=[np.array([s], np.float32) for s in [*steps, steps[-1] + 1]],
            actions=[int(s) % 2 for s in steps],
            rewards=steps.tolist(),
            infos=[{"a thing of its own": object()}] * 11,
            terminated=True,
            len_lookback_buffer=0,
        )
        episode.to_numpy()
        buffer.add(episode)
        if isinstance(buffer, PrioritizedEpisodeReplayBuffer):
            buffer.sample(batch_size_B=4, n_step=1, sample_episodes=True)
            buffer.update_priorities(np.array([0.5, 1.0, 2.0, 4.0]))
    return buffer


def samples(buffer: Any) -> list[Any]:
    batches = [buffer.sample(batch_size_B=8, n_step=1, sample_episodes=True) for _ in range(3)]
    episodes = [e for batch in batches for e in batch]
    return [
        (np.asarray(e.get_observations()).tolist(), np.asarray(e.get_rewards()).tolist())
        for e in episodes
    ]


@pytest.mark.parametrize("kind", BUFFERS)
def test_the_same_steps_are_drawn_from_what_was_read(kind: str, tmp_path: Path) -> None:
    make = BUFFERS[kind]
    buffer, again = filled(make), make()
    torch.save(pack(get_replay(buffer)), tmp_path / "state.pt")
    set_replay(again, unpack(read_state(tmp_path / "state.pt")))
    assert (again.get_num_timesteps(), again.get_num_episodes()) == (60, 6)
    assert samples(again) == samples(buffer)
    for changed in (buffer, again):
        changed.add(filled(make).episodes[-1])
    assert samples(again) == samples(buffer)


def test_a_tree_takes_the_room_of_what_is_in_it(tmp_path: Path) -> None:
    buffer = PrioritizedEpisodeReplayBuffer(capacity=1_000_000)
    torch.save(pack(get_replay(buffer)), tmp_path / "state.pt")
    assert (tmp_path / "state.pt").stat().st_size < 10_000


def test_a_large_one_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = filled(BUFFERS["even"])
    monkeypatch.setattr(replay, "MOST_BYTES", 60 * (4 + 8 + 8) - 1)
    assert get_replay(buffer) is None
    assert get_replay(object()) is None
    assert get_replay(None) is None
