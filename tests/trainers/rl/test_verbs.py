"""The verbs on a policy, typed as a user would, for an environment of the user's own."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from trivium.platform.checkpoint import write_checkpoint

OWN = """
import gymnasium
import numpy as np
from gymnasium import spaces


class Ball(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, wind=0.0, render_mode=None):
        self.observation_space = spaces.Dict(
            {"place": spaces.Box(-2.0, 2.0, (1,), np.float32), "lamp": spaces.Discrete(2)}
        )
        self.action_space = spaces.MultiDiscrete([3, 2])
        self.wind, self.render_mode = wind, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-1.5, 1.5), 0
        return self._see(), {}

    def step(self, action):
        self.place = float(np.clip(self.place + 0.2 * (int(action[0]) - 1) + self.wind, -2, 2))
        right = 1.0 - abs(self.place) + 0.5 * (int(action[1]) == self.lamp)
        self.steps += 1
        return self._see(), right, False, self.steps >= 10, {"is_success": abs(self.place) < 0.2}

    def _see(self):
        self.lamp = int(self.np_random.integers(2))
        return {"place": np.array([self.place], np.float32), "lamp": self.lamp}

    def render(self):
        frame = np.full((40, 80, 3), 235, np.uint8)
        frame[0:3, : 8 * self.steps] = 90  # a GIF keeps no two equal pictures
        frame[15:25, int(36 + self.place * 16) : int(44 + self.place * 16)] = (40, 90, 200)
        return frame
"""
JOB = """
name: 球
env: {id: my_env.py:Ball, num_envs: 16, kwargs: {wind: 0.01}}
model: {name: mlp, hidden: [16], activation: tanh}
algorithm: {name: ppo, lr: 0.01, gamma: 0.9, rollout_steps: 20, minibatch_size: 80}
stop: {env_steps: 3200}
evaluation: {episodes: 10, confirm_episodes: 40}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "我的 项目"
    folder.mkdir()
    (folder / "my_env.py").write_text(OWN, encoding="utf-8")
    (folder / "job.yaml").write_text(JOB, encoding="utf-8")
    return folder


def test_an_environment_of_ones_own_is_learned_scored_filmed_and_exported(
    folder, type_command, monkeypatch
) -> None:
    import imageio.v3 as imageio
    import pyarrow.parquet as pq

    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    store = ("--store", folder / "runs")
    trained = type_command("train", folder / "job.yaml", *store)
    assert trained.code == 0, trained.err
    scored = type_command("evaluate", "last", *store)
    assert scored.code == 0, scored.err
    assert "the scores are those that training recorded" in scored.out
    assert "success" in scored.out

    video, gif, data = (folder / f"录像 1.{end}" for end in ("mp4", "gif", "parquet"))
    played = type_command("play", "last", "--video", video, "--gif", gif, "--data", data, *store)
    assert played.code == 0, played.err
    assert played.out.splitlines()[-3:] == [f"written: {f}" for f in (video, gif, data)]
    frames = imageio.imread(video, index=None)
    assert len(frames) == 11
    assert frames[0].std() > 10 and not np.array_equal(frames[0], frames[-1])
    assert len(imageio.imread(gif, index=None)) == 11
    assert pq.read_table(data).num_rows == 10

    exported = type_command("export", "last", *store)
    assert exported.code == 0, exported.err


def test_env_runners_find_a_file_beside_the_job_too(folder, type_command, monkeypatch) -> None:
    monkeypatch.chdir(folder.parent)
    changes = [f"--set={c}" for c in ("resources.num_env_runners=2", "stop.env_steps=700")]
    typed = type_command("train", folder / "job.yaml", *changes, "--store", folder / "runs")
    assert typed.code == 0, typed.err


def spoil(weights) -> None:
    """Other numbers in the file's own tensors."""
    generator = np.random.default_rng(0)
    spoilt = {
        name: generator.normal(size=value.shape).astype(value.dtype)
        for name, value in load_file(weights).items()
    }
    save_file(spoilt, weights)


def test_weights_that_are_not_those_written_are_never_played(
    folder, type_command, monkeypatch
) -> None:
    monkeypatch.chdir(folder)
    assert type_command("train", "job.yaml", "--store", "runs").code == 0
    best = folder / "runs" / "球-1" / "checkpoints" / "best"
    spoil(best / "weights.safetensors")
    for verb in ("evaluate", "play", "export"):
        typed = type_command(verb, "last", "--store", "runs")
        assert typed.code == 1
        assert typed.err == (
            "球-1: runs/球-1/checkpoints/best is damaged: its files are not those that its "
            "manifest.json lists. Copy it back from where it is whole, or train again: trivium "
            "reproduce 球-1\n"
        )


def test_a_policy_that_scores_below_what_was_recorded_fails_loudly(
    folder, type_command, monkeypatch
) -> None:
    monkeypatch.chdir(folder)
    assert type_command("train", "job.yaml", "--store", "runs").code == 0
    checkpoints = folder / "runs" / "球-1" / "checkpoints"
    spoil(checkpoints / "best" / "weights.safetensors")
    # With a manifest of its own, as a mistake of the program would write it.
    copy = folder / "weights.safetensors"
    shutil.copy(checkpoints / "best" / "weights.safetensors", copy)
    write_checkpoint(checkpoints, "best", 1, lambda path: shutil.copy(copy, path))
    typed = type_command("evaluate", "last", "--store", "runs")
    assert typed.code == 1
    assert typed.err.startswith("球-1: the restored policy scores ")
    assert "The checkpoint or the environment differs from what was trained" in typed.err
