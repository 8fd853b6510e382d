import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from trivium.platform.job import algorithm_class, check_job

PPO = {"name": "ppo", "rollout_steps": 16, "minibatch_size": 32}
CASES = {
    "choice": ("CartPole-v1", PPO),
    "bounded": ({"id": "Pendulum-v1", "wrappers": ["normalize_observation"]}, PPO),
    "tanh": ("Pendulum-v1", PPO | {"action_bounds": "tanh", "state_dependent_std": True}),
    "memory": ("CartPole-v1", PPO | {"memory": 4}),
    "whole_number": ("FrozenLake-v1", PPO | {"shared": True}),
    "values": ("CartPole-v1", {"name": "dqn", "learning_starts": 32, "dueling": True}),
    "pixels": ({"kwargs": {"observation": "image"}}, PPO),
    "pixels with memory": ({"kwargs": {"observation": "image"}}, PPO | {"memory": 4}),
    "values of pixels": ({"kwargs": {"observation": "image"}}, {"name": "dqn"}),
    "parts": ({"kwargs": {"observation": "dict"}}, PPO),
    "several choices": ({"kwargs": {"action": "multi_discrete"}}, PPO),
}
MODELS = {
    "pixels": {"name": "cnn", "channels": [4], "normalization": "none"},
    "pixels with memory": {"name": "cnn", "channels": [4], "normalization": "none"},
    "values of pixels": {"name": "cnn", "channels": [4], "normalization": "none"},
    "parts": {"name": "multi_input", "hidden": [8]},
}


@pytest.mark.parametrize("case", CASES)
def test_the_exported_network_acts_like_the_policy(
    train, data, counting: str, tmp_path: Path, case: str
) -> None:
    env, algorithm = CASES[case]
    if isinstance(env, dict) and "id" not in env:
        env = {"id": f"{counting}:Parity"} | env
    more = {"model": MODELS[case]} if case in MODELS else {}
    job = data(env, algorithm, stop={"env_steps": 64}, **more)
    _, run = train(job)
    trainer = algorithm_class(algorithm["name"])(check_job(job))
    written = trainer.export(run, tmp_path / "out")
    assert [p.name for _, p in written] == ["policy.safetensors", "policy.onnx", "policy.json"]

    contract = json.loads((tmp_path / "out" / "policy.json").read_text())
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "policy.onnx"))
    assert {i.name for i in session.get_inputs()} == {i["name"] for i in contract["inputs"]}
    shape = contract["inputs"][0]["shape"][1:]
    obs = np.zeros((3, *shape), contract["inputs"][0]["dtype"])
    feed = {"observation": obs}
    if "memory" in case:
        zeros = np.zeros((3, 4), np.float32)
        feed |= {"starting": np.ones(3, np.bool_), "hidden": zeros, "cell": zeros}
    action = session.run(["action"], feed)[0]
    player = trainer.load_player(run.checkpoint("best").path)
    player.start(3, 0)
    np.testing.assert_allclose(action, player.act(obs, np.ones(3, np.bool_), False), atol=1e-5)
