"""Recorded episodes: what is written comes back, and what does not fit is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gymnasium import spaces

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment.spaces import observations_of
from trivium.trainers.rl.episode_file import (
    EpisodeRecorder,
    find_episode_files,
    read_episodes,
    write_episodes,
)


def recorded(kind, action, file, episodes=2, length=3):
    import importlib.util

    spec = importlib.util.spec_from_file_location("counting", Path(__file__).parent / "counting.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    env = EpisodeRecorder(module.Parity(observation=kind, action=action, length=length))
    env.action_space.seed(3)
    seen, taken = [], []
    for k in range(episodes):
        obs = [env.reset(seed=k)[0]]
        actions = []
        for _ in range(length):
            actions.append(env.action_space.sample())
            obs.append(env.step(actions[-1])[0])
        seen.append(obs)
        taken.append(actions)
    write_episodes(env.columns, file)
    return env, seen, taken


@pytest.mark.parametrize("action", ["discrete", "multi_discrete", "box"])
@pytest.mark.parametrize("kind", ["box", "box64", "image", "discrete", "multi_binary", "dict"])
def test_what_was_recorded_comes_back(kind, action, tmp_path) -> None:
    file = tmp_path / "episodes.parquet"
    env, seen, taken = recorded(kind, action, file)
    read = read_episodes([file], env.observation_space, env.action_space)
    observations = observations_of(env.observation_space)
    assert len(read) == 2
    for episode, obs, actions in zip(read, seen, taken, strict=True):
        np.testing.assert_array_equal(episode.obs, [observations.one(o) for o in obs])
        np.testing.assert_array_equal(episode.actions, actions)
        assert episode.rewards.tolist() == [1, 1, 1]
        assert episode.terminated is False


def write(file: Path, **changes) -> Path:
    columns = {
        "eps_id": [0, 0],
        "obs": [[0.0, 0.0], [1.0, 1.0]],
        "actions": [0, 1],
        "rewards": [1.0, 1.0],
        "new_obs": [[1.0, 1.0], [2.0, 2.0]],
        "terminateds": [False, True],
        "truncateds": [False, False],
    } | changes
    pq.write_table(pa.table({k: v for k, v in columns.items() if v is not None}), file)
    return file


def mistake(file: Path) -> str:
    with pytest.raises(UserError) as error:
        read_episodes([file], spaces.Box(-9, 9, (2,), np.float32), spaces.Discrete(2))
    return str(error.value)


def test_a_file_of_someone_else_is_read(tmp_path) -> None:
    file = write(tmp_path / "a.parquet")
    [one] = read_episodes([file], spaces.Box(-9, 9, (2,), np.float32), spaces.Discrete(2))
    assert one.obs.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert one.terminated is True


def test_what_does_not_fit_is_named(tmp_path) -> None:
    file = tmp_path / "a.parquet"
    assert mistake(write(file, actions=None, action=[0, 1])) == (
        f"algorithm.episodes: {file} has no column actions; did you mean action? (needed: eps_id, "
        "obs, actions, rewards, new_obs, terminateds, truncateds)"
    )
    assert mistake(write(file, obs=[[0.0] * 3, [1.0] * 3])) == (
        f"algorithm.episodes: {file}: obs has 3 values in a row, and the environment's Box(-9.0, "
        "9.0, (2,), float32) has 2"
    )
    assert mistake(write(file, actions=[0, 2])) == (
        f"algorithm.episodes: {file}: the action 2 is not in the environment's Discrete(2)"
    )
    file.write_text("eps_id,obs\n")
    assert mistake(file).startswith(f"algorithm.episodes: {file} is not Parquet: ")


def test_files_are_looked_for_beside_the_job_too(tmp_path) -> None:
    file = write(tmp_path / "a.parquet")
    assert find_episode_files("a.parquet", tmp_path) == [file]
    assert find_episode_files("*.parquet", tmp_path) == [file]
    assert find_episode_files(str(tmp_path), Path()) == [file]
    with pytest.raises(UserError) as error:
        find_episode_files("b.parquet", tmp_path)
    assert str(error.value) == (
        "algorithm.episodes: no Parquet file at b.parquet; `trivium play RUN --episodes 100 --data "
        "b.parquet` records the episodes of a trained policy"
    )
