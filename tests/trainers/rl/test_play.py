from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import check_job, write_job
from trivium.trainers.rl.play import Recording, record, save_recording

PPO = {"name": "ppo", "rollout_steps": 16, "minibatch_size": 32}


def finished(train, job) -> object:
    _, run = train(job)
    (run.path / "job.yaml").write_text(write_job(check_job(job)))
    (run.path / "run.json").write_text("{}")
    return run


def test_a_recording_has_a_frame_before_each_step_and_one_after_the_last(
    train, data, counting: str
) -> None:
    run = finished(train, data({"id": f"{counting}:Counting", "kwargs": {"length": 3}}, PPO))
    recording = record(run, episodes=2)
    assert [int(f[0, 0, 0]) for f in recording.frames] == [0, 10, 20, 30] * 2
    assert [e.length for e in recording.episodes] == [3, 3]
    assert recording.frames_per_s == 30


def test_the_same_seed_plays_the_same(train, data) -> None:
    run = finished(train, data("CartPole-v1", PPO))
    first, second = (record(run, seed=3, sample=True) for _ in range(2))
    assert first.episodes == second.episodes
    assert first.frames[0].shape == (400, 600, 3)


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_saved_recording_can_be_read_again(tmp_path: Path, ending: str) -> None:
    frames = tuple(np.full((33, 48, 3), i * 20, np.uint8) for i in range(10))
    file = tmp_path / f"out.{ending}"
    save_recording(Recording(frames, 20.0, ()), file)
    read = imageio.imread(file, index=None)
    assert read.shape == (10, 32, 48, 3)
    assert abs(int(read[9].mean()) - 180) < 8


def test_another_ending_is_refused(tmp_path: Path) -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(UserError) as error:
        save_recording(Recording((frame,), 20.0, ()), tmp_path / "out.avi")
    assert str(error.value) == f"{tmp_path / 'out.avi'}: a recording is an .mp4 or a .gif"


def test_stills_are_spread_from_the_first_to_the_last(train, data, counting: str) -> None:
    job = data({"id": f"{counting}:Counting", "kwargs": {"length": 9}}, PPO)
    outcome, _ = train(job)
    pictures = outcome.evaluation.exhibits[-1]
    assert pictures.title == "One greedy episode: return 45, 9 steps"
    assert [p.caption for p in pictures.pictures] == ["step 0", "step 3", "step 6", "step 9"]


def test_an_environment_without_pictures_is_named(train, data, counting: str) -> None:
    name = f"{counting}:Remember"
    run = finished(train, data(name, PPO))
    with pytest.raises(UserError) as error:
        record(run)
    assert str(error.value).startswith(f"env.kwargs: {name} does not take these arguments: ")
