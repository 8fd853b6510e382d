from pathlib import Path
from typing import Any

import pytest

from trivium.trainers.rl.environment.check import check_environment
from trivium.trainers.rl.job import RlJob

TEMPLATE = """
import gymnasium, numpy as np
from gymnasium import spaces

class Env(gymnasium.Env):
    def __init__(self):
        self.observation_space = {space}
        self.action_space = spaces.Discrete(2)
        self.steps = 0
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return {reset}
    def step(self, action):
        self.steps += 1
        return {step}
"""
GOOD = {
    "space": "spaces.Box(-1, 1, (2,), np.float32)",
    "reset": "np.zeros(2, np.float32), {}",
    "step": "np.zeros(2, np.float32), 0.0, False, self.steps > 9, {}",
}


def problems(tmp_path: Path, **parts: str) -> tuple[str, ...]:
    file = tmp_path / "env.py"
    file.write_text(TEMPLATE.format(**(GOOD | parts)))
    found = check_environment(job(f"{file}:Env")).problems
    return tuple(p.removeprefix(f"env.id: {file}:Env: ") for p in found)


def job(name: str, **env: Any) -> RlJob:
    return RlJob.model_validate(
        {
            "name": "x",
            "env": {"id": name} | env,
            "algorithm": {"name": "any"},
            "stop": {"env_steps": 10},
        }
    )


def test_a_right_environment_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path) == ()


CASES = {
    "reset_without_info": (
        {"reset": "np.zeros(2, np.float32)"},
        "reset() must return (observation, info) with info a dict; it returns an array of shape "
        "(2,)",
    ),
    "wrong_shape": (
        {"reset": "np.zeros(3, np.float32), {}"},
        "reset() gives an observation that is not in observation_space: its shape is (3,), the "
        "space's (2,)",
    ),
    "wrong_dtype": (
        {"reset": "np.zeros(2), {}"},
        "reset() gives an observation that is not in observation_space: its dtype is float64, the "
        "space's float32",
    ),
    "list_observation": (
        {"reset": "[0.0, 0.0], {}"},
        "reset() gives an observation that is not in observation_space: it must be a NumPy array "
        "of shape (2,); it is [0.0, 0.0] (list)",
    ),
    "out_of_bounds": (
        {"step": "np.array([0, 2], np.float32), 0.0, False, False, {}"},
        "step() gives an observation that is not in observation_space: value 2 at [1] is outside "
        "[-1, 1]",
    ),
    "nan": (
        {"step": "np.array([0, np.nan], np.float32), 0.0, False, False, {}"},
        "step() gives an observation that is not in observation_space: it holds NaN",
    ),
    "old_step": (
        {"step": "np.zeros(2, np.float32), 0.0, False, {}"},
        "step() must return (observation, reward, terminated, truncated, info); it returns a "
        "tuple of 4",
    ),
    "terminated_is_a_number": (
        {"step": "np.zeros(2, np.float32), 0.0, 0, False, {}"},
        "step(): terminated must be True or False; it is 0 (int)",
    ),
    "no_reward": (
        {"step": "np.zeros(2, np.float32), None, False, False, {}"},
        "step(): reward must be a number; it is None",
    ),
    "infinite_reward": (
        {"step": "np.zeros(2, np.float32), float('inf'), False, False, {}"},
        "step(): reward is inf; it must be finite",
    ),
    "own_random_numbers": (
        {"reset": "np.random.uniform(-1, 1, 2).astype(np.float32), {}"},
        "reset(seed=7) differs between two runs with the same actions: draw random numbers from "
        "self.np_random, which super().reset(seed=seed) seeds",
    ),
    "no_space": (
        {"space": "None"},
        "observation_space must be a gymnasium.Space set in __init__; it is None",
    ),
    "failing_reset": (
        {"reset": "int(None), {}"},
        "reset() fails: TypeError: int() argument must be a string, a bytes-like object or a real "
        "number, not 'NoneType'",
    ),
    "failing_step": (
        {"step": "1 / 0"},
        "step() fails: ZeroDivisionError: division by zero",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_named(tmp_path: Path, case: str) -> None:
    parts, expected = CASES[case]
    assert problems(tmp_path, **parts) == (expected,)


@pytest.mark.parametrize("parameters", ["self", "self, seed=None", "self, *, options=None"])
def test_a_reset_of_other_parameters_is_named(tmp_path: Path, parameters: str) -> None:
    file = tmp_path / "env.py"
    right = "self, *, seed=None, options=None"
    text = TEMPLATE.format(**GOOD).replace(right, parameters).replace("(seed=seed)", "()")
    file.write_text(text)
    [found] = check_environment(job(f"{file}:Env")).problems
    assert "reset() must be reset(self, *, seed=None, options=None): " in found
    assert "got an unexpected keyword argument" in found


def test_a_space_that_nothing_reads_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    from trivium.platform.job import algorithm_class, check_job

    file = tmp_path / "env.py"
    file.write_text(TEMPLATE.format(**(GOOD | {"space": "spaces.Text(1)", "reset": "'a', {}"})))
    data = {"name": "x", "env": {"id": f"{file}:Env"}, "stop": {"env_steps": 9}, "model": "mlp"}
    preflight = algorithm_class("ppo")(check_job(data | {"algorithm": "ppo"})).preflight()
    assert "observation_space: Text(" in preflight.problems[0]


def test_an_environment_without_a_limit_is_warned_of() -> None:
    checked = check_environment(job("CliffWalking-v1"))
    assert checked.warnings == (
        "CliffWalking-v1 ended no episode in 200 random steps and has no limit on their length: "
        "give env.max_episode_steps, or an evaluation takes up to evaluation.max_steps for each",
    )
    assert check_environment(job("CliffWalking-v1", max_episode_steps=99)).warnings == ()


def test_physics_that_outlives_a_reset_is_no_unseeded_randomness() -> None:
    # BipedalWalker differs by 0.01 in its second step when a played environment is reset.
    pytest.importorskip("Box2D")
    assert check_environment(job("BipedalWalker-v3")).problems == ()
