"""What the tests of reinforcement learning share: jobs from plain data, and short runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.algorithm import Outcome
from trivium.platform.job import algorithm_class, check_job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter

MLP = {"name": "mlp", "hidden": [16], "activation": "tanh"}


def job_data(env: Any, algorithm: Any, **more: Any) -> dict[str, Any]:
    """A job's data with a small network and a short run as defaults."""
    env = {"id": env} if isinstance(env, str) else env
    data = {
        "name": "test",
        "env": {"num_envs": 4} | env,
        "model": MLP,
        "algorithm": algorithm,
        "stop": {"env_steps": 512},
        "evaluation": {"episodes": 4, "confirm_episodes": 8},
    }
    return {k: v for k, v in (data | more).items() if v is not None}


@pytest.fixture
def counting() -> str:
    """Path of the environments made for tests."""
    return str(Path(__file__).parent / "counting.py")


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., tuple[Outcome, RunFolder]]:
    """Run a job's data to its end in a fresh folder, or in `folder`."""

    def run(data: dict[str, Any], folder: Path | None = None, **more: Any) -> Any:
        folder = folder or tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        folder.mkdir(exist_ok=True)
        job = check_job(data)
        writer = RunWriter(RunFolder(folder), **more)
        try:
            outcome = algorithm_class(job.algorithm.name)(job).train(writer)  # type: ignore[attr-defined]
        finally:
            writer.close()
        return outcome, RunFolder(folder)

    return run


@pytest.fixture
def data() -> Callable[..., dict[str, Any]]:
    """Makes a job's data."""
    return job_data


@pytest.fixture
def numbers() -> Callable[[RunFolder], list[dict[str, Any]]]:
    """What a run reported, without times."""

    def read(run: RunFolder) -> list[dict[str, Any]]:
        lines = (run.path / "metrics.jsonl").read_text().splitlines()
        timed = ("time_s", "env_steps_per_s")
        return [{k: v for k, v in json.loads(x).items() if k not in timed} for x in lines]

    return read
