"""Which numbers of a record become series, and that a run without Ray pays nothing."""

import subprocess
import sys

from trivium.platform.ray_tracker import GAUGES, SPLIT, found_in


def test_a_supervised_record_becomes_series_by_split() -> None:
    record = {
        "step": 40,
        "epoch": 1.0,
        "time_s": 3.0,
        "train/loss": 0.5,
        "validation/loss": 0.75,
        "validation/accuracy": 0.9,
        "train/gradient_norm": 2.0,
        "samples_per_s": 1000.0,
        "lr": 0.002,
    }
    assert found_in(record) == {
        "trivium_step": ("", 40.0),
        "trivium_epoch": ("", 1.0),
        "trivium_loss{train}": ("train", 0.5),
        "trivium_loss{validation}": ("validation", 0.75),
        "trivium_gradient_norm": ("", 2.0),
        "trivium_samples_per_s": ("", 1000.0),
        "trivium_learning_rate": ("", 0.002),
    }


def test_a_record_of_reinforcement_learning_too_and_null_is_left_out() -> None:
    record = {
        "step": 3,
        "env_steps": 6000,
        "time_s": 1.0,
        "train/return_mean": 20.5,
        "evaluation/return_mean": 31.0,
        "env_steps_per_s": 9000.0,
        "train/gradient_norm": None,
    }
    found = found_in(record)
    assert found["trivium_return_mean{evaluation}"] == ("evaluation", 31.0)
    assert found["trivium_env_steps_per_s"] == ("", 9000.0)
    assert "trivium_gradient_norm" not in found
    assert {name.partition("{")[0] for name in found} <= set(GAUGES)
    assert set(SPLIT) <= set(GAUGES)


def test_a_run_in_this_process_imports_no_ray() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from types import SimpleNamespace\n"
        "from trivium.platform.ray_tracker import RayTracker\n"
        "run = SimpleNamespace(id='a-1', path=Path('/nowhere'))\n"
        "tracker = RayTracker(run, SimpleNamespace(name='a'))\n"
        "tracker.report({'step': 1, 'time_s': 0.1, 'train/loss': 1.0})\n"
        "tracker.saved(1, 0.1)\n"
        "print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
