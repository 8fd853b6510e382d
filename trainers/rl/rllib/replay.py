"""RLlib's replay buffers of single agents as plain data, which its own checkpoints leave out.

Without it a resumed SAC or DQN learns from the few steps since, and forgets what it could do. A
priority tree is as long as the buffer may become, so only what differs from an empty one is kept.
Left out: what `info` held, which nothing learns from, and the buffers of several agents.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.utils.replay_buffers.episode_replay_buffer import EpisodeReplayBuffer
from ray.rllib.utils.replay_buffers.prioritized_episode_buffer import PrioritizedEpisodeReplayBuffer

MOST_BYTES = 2**30
"""Of stored steps: more would hold up training for long at each save, so it is left out."""
_TREES = {"_sum_segment": 0.0, "_min_segment": math.inf}
"""Their names in RLlib's state, and what an empty one holds everywhere."""
_PAIRS = ("_indices", "_tree_idx_to_sample_idx")
_FREE = "_free_nodes"


def get_replay(buffer: Any) -> dict[str, Any] | None:
    """Plain data of `buffer`; None when it is of another kind, or larger than MOST_BYTES."""
    if type(buffer) not in (EpisodeReplayBuffer, PrioritizedEpisodeReplayBuffer):
        return None
    if _num_bytes(buffer) > MOST_BYTES:
        return None
    state = buffer.get_state()
    for episode in state["episodes"]:
        episode["infos"]["data"] = [{} for _ in episode["infos"]["data"]]
        episode["custom_data"] = {}
    for name in set(_PAIRS) & set(state):
        state[name] = np.array(list(state[name]) or np.zeros((0, 2)), np.int64)
    for name in set(_TREES) & set(state):
        state[name] = _dense_part(np.array(state[name]), _TREES[name])
    if _FREE in state:
        state[_FREE] = _runs(np.array(state[_FREE], np.int64))
    return {"buffer": state, "rng": buffer.rng.bit_generator.state}


def set_replay(buffer: Any, state: dict[str, Any]) -> None:
    """Put what `get_replay` gave into a new buffer of the same settings."""
    content = dict(state["buffer"])
    for name in set(_PAIRS) & set(content):
        content[name] = list(map(tuple, content[name].tolist()))
    for name in set(_TREES) & set(content):
        content[name] = _whole(content[name], _TREES[name])
    if _FREE in content:
        content[_FREE] = [n for begin, count in content[_FREE] for n in range(begin, begin + count)]
    buffer.set_state(content)
    buffer.rng.bit_generator.state = state["rng"]


def _num_bytes(buffer: Any) -> int:
    """What its observations, actions and rewards take."""
    parts = ((e.observations, e.actions, e.rewards) for e in buffer.episodes)
    return sum(_bytes_of(part.data) for three in parts for part in three)


def _bytes_of(data: Any) -> int:
    if isinstance(data, dict | tuple):
        return sum(map(_bytes_of, data.values() if isinstance(data, dict) else data))
    return int(np.asarray(data).nbytes)


def _dense_part(values: NDArray[np.float64], empty: float) -> dict[str, Any]:
    places = np.flatnonzero(values != empty)
    return {"size": len(values), "places": places, "values": values[places]}


def _whole(part: dict[str, Any], empty: float) -> list[float]:
    values = np.full(part["size"], empty)
    values[part["places"]] = part["values"]
    whole: list[float] = values.tolist()
    return whole


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(first, count) of each stretch of numbers that rise by one."""
    if not len(numbers):
        return []
    begins = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
    counts = np.diff(begins, append=len(numbers))
    return list(zip(numbers[begins].tolist(), counts.tolist(), strict=True))
