"""Our algorithms as RLlib sees them: `train`, callbacks, results, checkpoints."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ray.rllib.callbacks.callbacks import RLlibCallback

from trivium.platform.job import algorithm_class, check_job
from trivium.trainers.rl.algorithm import VectorAlgorithm, VectorConfig

JOBS = {
    "q_learning": {
        "env": {"id": "FrozenLake-v1", "num_envs": 8},
        "algorithm": {"name": "q_learning"},
    },
    "ppo": {
        "env": {"id": "CartPole-v1", "num_envs": 4},
        "model": {"name": "mlp", "hidden": [8]},
        "algorithm": {"name": "ppo", "rollout_steps": 16, "minibatch_size": 32},
    },
    "dqn": {
        "env": {"id": "CartPole-v1", "num_envs": 4},
        "model": {"name": "mlp", "hidden": [8]},
        "algorithm": {"name": "dqn", "learning_starts": 10, "steps_per_update": 16},
    },
}


class Heard(RLlibCallback):  # type: ignore[misc]
    """A callback of a user."""

    steps: ClassVar[list[int]] = []

    def on_train_result(self, *, algorithm: Any, result: dict[str, Any], **_: Any) -> None:
        self.steps.append(int(result["env_runners"]["num_env_steps_sampled_lifetime"]))


def build(name: str, callbacks: type[RLlibCallback] | None = None) -> VectorAlgorithm:
    job: Any = check_job(JOBS[name] | {"stop": {"env_steps": 10_000}, "seed": 3})
    kind: Any = algorithm_class(job.algorithm.name)(job)
    config = VectorConfig.of(job, kind.rllib_class())
    if callbacks is not None:
        config.callbacks(callbacks)
    algorithm: VectorAlgorithm = config.build_algo()
    return algorithm


def weights(algorithm: VectorAlgorithm, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    algorithm.save_weights(folder)
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", JOBS)
def test_train_is_an_advance_with_rllibs_result_and_callbacks(name: str, tmp_path: Path) -> None:
    Heard.steps.clear()
    by_rllib, by_ours = build(name, Heard), build(name)
    steps = []
    for _ in range(2):
        result = by_rllib.train()
        by_ours.advance()
        steps.append(by_ours.env_steps)
    assert weights(by_rllib, tmp_path / "rllib") == weights(by_ours, tmp_path / "ours")
    assert Heard.steps == steps
    assert result["training_iteration"] == 2
    learned = result["learners"]
    assert learned and all(np.isfinite(v) for v in learned.values())
    for algorithm in (by_rllib, by_ours):
        algorithm.stop()


def test_rllibs_checkpoint_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    first, second = build("ppo"), build("ppo")
    first.train()
    (tmp_path / "checkpoint").mkdir()
    first.save_checkpoint(str(tmp_path / "checkpoint"))
    second.load_checkpoint(str(tmp_path / "checkpoint"))
    first.train()
    second.train()
    assert weights(first, tmp_path / "first") == weights(second, tmp_path / "second")
