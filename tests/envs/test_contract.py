"""What every environment of ours promises, whatever its rules."""

import inspect
import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from trivium.envs.evaluate import random_policy, returns
from trivium.envs.registry import ENVS, register_all
from trivium.platform.registry import load_text

register_all()

every_env = pytest.mark.parametrize("name", ENVS)
every_mode = pytest.mark.parametrize("mode", ["NextStep", "SameStep"])

NUM_COPIES = 7
PAGE = [
    "Description", "Action space", "Observation space", "Rewards", "Starting state",
    "Episode end", "Arguments", "References", "Version history",
]  # fmt: skip


def native(name: str, num_envs: int = NUM_COPIES, **kwargs: Any) -> Any:
    return gymnasium.make_vec(name, num_envs, vectorization_mode="vector_entry_point", **kwargs)


def copied(name: str, mode: str = "NextStep", **kwargs: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gymnasium.make(name, **kwargs)] * NUM_COPIES, autoreset_mode=mode)


@every_env
def test_gymnasiums_checker_has_nothing_to_say(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name).unwrapped)


@every_env
def test_the_checker_of_stable_baselines3_has_nothing_to_say(name: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


@every_env
def test_the_docstring_is_a_page(name: str) -> None:
    page = inspect.getdoc(load_text(ENVS[name].env))
    assert page is not None
    headings = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert headings == PAGE


@every_env
def test_observations_are_in_their_space_and_rewards_are_floats(name: str) -> None:
    env = gymnasium.make(name)
    observation, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(300):
        assert observation in env.observation_space
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert type(reward) is float
        if terminated or truncated:
            observation, _ = env.reset()


@every_env
def test_the_same_seed_plays_the_same_episodes(name: str) -> None:
    first, second = (_random_steps(gymnasium.make(name), seed=3) for _ in range(2))
    other = _random_steps(gymnasium.make(name), seed=4)
    assert pickle.dumps(first) == pickle.dumps(second)
    assert pickle.dumps(first) != pickle.dumps(other)


def _random_steps(env: Any, seed: int | None, num_steps: int = 200) -> list[Any]:
    env.action_space.seed(0)
    steps: list[Any] = [env.reset(seed=seed)]
    for _ in range(num_steps):
        steps.append(env.step(env.action_space.sample()))
        if steps[-1][2] or steps[-1][3]:
            steps.append(env.reset())
    return steps


@every_env
def test_an_unseeded_environment_differs_each_time(name: str) -> None:
    first, second = (_random_steps(gymnasium.make(name), seed=None) for _ in range(2))
    assert pickle.dumps(first) != pickle.dumps(second)


@every_env
@every_mode
def test_a_batch_equals_its_scalar_copies_step_for_step(name: str, mode: str) -> None:
    batch, copies = native(name, autoreset_mode=mode), copied(name, mode)
    assert batch.observation_space == copies.observation_space
    assert batch.action_space == copies.action_space
    assert batch.metadata["autoreset_mode"] == AutoresetMode(mode)
    np.testing.assert_array_equal(batch.reset(seed=5)[0], copies.reset(seed=5)[0])
    batch.action_space.seed(1)
    num_ends = 0
    for _ in range(3 * ENVS[name].max_episode_steps):
        actions = batch.action_space.sample()
        ours, theirs = batch.step(actions), copies.step(actions)
        for left, right in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        num_ends += int((ours[2] | ours[3]).sum())
        _assert_same_final_observations(ours[4], theirs[4])
    assert num_ends >= 2 * NUM_COPIES


def _assert_same_final_observations(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ("final_obs" in ours) == ("final_obs" in theirs)
    if "final_obs" in ours:
        rows = theirs["_final_obs"]
        np.testing.assert_array_equal(ours["_final_obs"], rows)
        np.testing.assert_array_equal(ours["final_obs"][rows], np.stack(theirs["final_obs"][rows]))


@every_env
def test_a_truncated_copy_returns_its_last_observation_and_then_a_first_one(name: str) -> None:
    batch = native(name, 3, max_episode_steps=1)
    starts = [gymnasium.make(name).unwrapped for _ in range(3)]
    for row, start in enumerate(starts):
        start.reset(seed=row)
    batch.reset(seed=0)
    actions = np.zeros(batch.action_space.shape, dtype=np.int64)
    last, _, terminated, truncated, _ = batch.step(actions)
    assert truncated.all()
    np.testing.assert_array_equal(last, [start.step(actions[0])[0] for start in starts])
    first, reward, terminated, truncated, _ = batch.step(actions)
    np.testing.assert_array_equal(first, [start.reset()[0] for start in starts])
    assert not (reward.any() or terminated.any() or truncated.any())


@every_env
def test_without_automatic_resets_a_mask_says_which_copies_start_again(name: str) -> None:
    batch = native(name, 3, autoreset_mode="Disabled")
    before, _ = batch.reset(seed=0)
    mask = np.array([False, True, False])
    after, _ = batch.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(after[~mask], before[~mask])
    second = gymnasium.make(name).unwrapped
    second.reset(seed=1)
    np.testing.assert_array_equal(after[1], second.reset()[0])


@every_env
def test_a_batch_takes_a_seed_for_each_copy(name: str) -> None:
    batch = native(name, 3)
    together, _ = batch.reset(seed=[9, 4, 9])
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(together[1], native(name, 1).reset(seed=4)[0][0])


@every_env
def test_returned_observations_stay_unless_copy_is_off(name: str) -> None:
    for copy in (True, False):
        batch = native(name, 2, copy=copy)
        first, _ = batch.reset(seed=0)
        second, *_ = batch.step(np.ones(batch.action_space.shape, dtype=np.int64))
        assert np.shares_memory(first, second) is not copy


@every_env
@pytest.mark.parametrize("batched", [False, True])
def test_a_pickled_environment_goes_on_where_it_was(name: str, batched: bool) -> None:
    env = native(name) if batched else gymnasium.make(name).unwrapped
    env.reset(seed=2)
    env.action_space.seed(0)
    action = env.action_space.sample()
    env.step(action)
    again = pickle.loads(pickle.dumps(env))
    for left, right in zip(env.step(action)[:4], again.step(action)[:4], strict=True):
        np.testing.assert_array_equal(left, right)


@every_env
def test_a_state_put_into_another_batch_goes_on_the_same(name: str) -> None:
    first, second = (native(name, max_episode_steps=20) for _ in range(2))
    first.action_space.seed(0)
    first.reset(seed=2)
    for _ in range(30):
        observations, *_ = first.step(first.action_space.sample())
    np.testing.assert_array_equal(second.set_state(first.get_state()), observations)
    for _ in range(30):
        actions = first.action_space.sample()
        for left, right in zip(first.step(actions)[:4], second.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(left, right)


@every_env
def test_pictures_are_legible_and_the_same_in_a_batch(name: str) -> None:
    env, batch = (
        gymnasium.make(name, render_mode="rgb_array"),
        native(name, 2, render_mode="rgb_array"),
    )
    env.reset(seed=1)
    batch.reset(seed=0)
    action = env.action_space.sample()
    env.step(action)
    batch.step(np.stack([action, action]))
    picture = env.render()
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and min(picture.shape[:2]) >= 400
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4
    np.testing.assert_array_equal(picture, batch.render()[1])


@every_env
def test_the_baseline_beats_random_play_by_far(name: str) -> None:
    env = gymnasium.make(name).unwrapped
    baseline = returns(name, load_text(ENVS[name].baseline)(env.rules), 30)
    chance = returns(name, random_policy(), 30)
    assert baseline.mean() - chance.mean() > 3 * np.hypot(baseline.std(), chance.std()) / 30**0.5


@every_env
def test_actions_outside_the_space_are_named(name: str) -> None:
    batch = native(name, 2)
    with pytest.raises(RuntimeError, match=r"^step before the first reset: call reset$"):
        batch.step(np.zeros(batch.action_space.shape, dtype=np.int64))
    batch.reset(seed=0)
    space = batch.single_action_space
    high = int(space.nvec[0] if hasattr(space, "nvec") else space.n)
    with pytest.raises(ValueError) as error:
        batch.step(np.full(batch.action_space.shape, high, dtype=np.int64))
    assert str(error.value) == f"actions from {high} to {high}: must be from 0 to {high - 1}"


@every_env
def test_an_unknown_argument_is_an_error(name: str) -> None:
    for make in (gymnasium.make, native):
        with pytest.raises(TypeError, match="unexpected keyword argument 'speling'"):
            make(name, speling=1)
