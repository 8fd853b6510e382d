from pathlib import Path

import numpy as np
import pytest

from trivium.platform.errors import RunFailed
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.vector import Environments

COUNTING = f"{Path(__file__).parents[1] / 'counting.py'}:Counting"


def environments(num_envs: int = 2, **kwargs: object) -> Environments:
    made = Environments(EnvSettings(id=COUNTING, num_envs=num_envs, kwargs=kwargs))
    made.reset(0)
    return made


def test_a_truncated_episode_ends_in_its_own_final_observation() -> None:
    made = environments(length=2, end="truncated")
    still = np.zeros(2, np.int64)
    made.step(still)
    step = made.step(still)
    assert step.truncated.all() and not step.terminated.any() and step.valid.all()
    assert step.next_obs.tolist() == [[0, 2], [0, 2]]
    assert made.obs.tolist() == [[1, 0], [1, 0]]
    assert made.starting.all()


def test_a_terminated_episode_says_so() -> None:
    made = environments(length=1)
    step = made.step(np.zeros(2, np.int64))
    assert step.terminated.all() and not step.truncated.any()


def test_returns_lengths_and_successes_are_counted_for_each_copy() -> None:
    made = environments(length=3)
    for _ in range(6):
        made.step(np.zeros(2, np.int64))
    episodes = made.take_episodes()
    assert [tuple(e) for e in episodes] == [(6.0, 3, True)] * 2 + [(6.0, 3, False)] * 2
    assert made.take_episodes() == []


def test_observations_that_were_given_out_do_not_change_later() -> None:
    made = environments(length=9)
    first = made.step(np.zeros(2, np.int64)).next_obs
    kept = first.copy()
    made.step(np.zeros(2, np.int64))
    assert np.array_equal(first, kept)


def test_a_native_vector_version_marks_the_step_that_only_resets() -> None:
    made = Environments(EnvSettings(id="CartPole-v1", num_envs=1, max_episode_steps=3))
    assert made.is_native
    made.reset(0)
    act = np.zeros(1, np.int64)
    steps = [made.step(act) for _ in range(5)]
    assert [bool(s.truncated[0]) for s in steps] == [False, False, True, False, False]
    assert [bool(s.valid[0]) for s in steps] == [True, True, True, False, True]
    assert steps[3].rewards[0] == 0
    assert [tuple(e) for e in made.take_episodes()] == [(3.0, 3, None)]


def test_the_reset_row_of_a_native_version_still_shows_the_final_observation() -> None:
    made = Environments(EnvSettings(id="CartPole-v1", num_envs=1, max_episode_steps=3))
    made.reset(0)
    act = np.zeros(1, np.int64)
    for _ in range(2):
        made.step(act)
    assert not made.starting[0]
    final = made.step(act).next_obs
    assert np.array_equal(made.obs, final) and not made.starting[0]
    made.step(act)
    assert made.starting[0]


def test_a_failing_environment_is_named() -> None:
    made = environments(length=3)
    with pytest.raises(RunFailed) as failure:
        made.step(np.zeros(7, np.int64))
    assert str(failure.value).startswith("the environment failed in step(): ")


@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1", "Pendulum-v1"])
def test_environments_go_on_from_their_saved_state_exactly(name: str) -> None:
    settings = EnvSettings(id=name, num_envs=3)
    made = Environments(settings)
    made.reset(0)
    generator = np.random.default_rng(0)

    def act() -> np.ndarray:
        if made.actions.kind == "continuous":
            return generator.uniform(-2, 2, (3, 1)).astype(np.float32)
        return generator.integers(0, made.actions.sizes[0], 3)

    for _ in range(150):
        made.step(act())
    state = made.get_state()
    actions = [act() for _ in range(150)]
    expected = [made.step(a).next_obs for a in actions]
    other = Environments(settings)
    other.reset(99)
    assert state is not None and other.set_state(state)
    found = [other.step(a).next_obs for a in actions]
    assert np.array_equal(expected, found)
    assert other.take_episodes() == made.take_episodes()
