import pytest

PPO = {"name": "ppo", "rollout_steps": 8, "minibatch_size": 16, "epochs": 1}
CNN = {"name": "cnn", "channels": [4], "hidden": [8], "normalization": "none"}
OBSERVATIONS = (
    "box",
    "box64",
    "image",
    "discrete",
    "multi_discrete",
    "multi_binary",
    "dict",
    "tuple",
)


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_every_kind_of_observation_runs(train, data, counting: str, kind: str) -> None:
    env = {"id": f"{counting}:Parity", "kwargs": {"observation": kind}}
    more = {"model": CNN} if kind == "image" else {}
    outcome, _ = train(data(env, PPO, stop={"env_steps": 100}, **more))
    assert outcome.evaluation.metrics["test/length_mean"] == 5


@pytest.mark.parametrize("memory", [None, 4])
@pytest.mark.parametrize("kind", ["discrete", "multi_discrete", "box", "unbounded"])
def test_every_kind_of_action_runs(train, data, counting: str, kind: str, memory) -> None:
    env = {"id": f"{counting}:Parity", "kwargs": {"action": kind}}
    outcome, _ = train(data(env, PPO | {"memory": memory}, stop={"env_steps": 100}))
    assert outcome.evaluation.metrics["test/length_mean"] == 5


@pytest.mark.parametrize("bounds", ["clip", "tanh"])
@pytest.mark.parametrize("state_dependent", [False, True])
def test_every_kind_of_spread_runs(train, data, counting, bounds, state_dependent) -> None:
    env = {"id": f"{counting}:Parity", "kwargs": {"action": "box"}}
    own = {"action_bounds": bounds, "state_dependent_std": state_dependent}
    outcome, _ = train(data(env, PPO | own, stop={"env_steps": 100}))
    assert outcome.evaluation.metrics["test/length_mean"] == 5


def test_wrappers_stack_up(train, data, counting: str) -> None:
    wrappers = [
        "flatten",
        {"name": "frame_stack", "frames": 2},
        "flatten",
        "normalize_observation",
        "normalize_reward",
        {"name": "clip_reward", "low": -2, "high": 2},
        {"name": "time_limit", "steps": 3},
    ]
    env = {"id": f"{counting}:Parity", "kwargs": {"observation": "dict"}, "wrappers": wrappers}
    outcome, _ = train(data(env, PPO, stop={"env_steps": 100}))
    assert outcome.evaluation.metrics["test/length_mean"] == 3
    assert outcome.evaluation.metrics["test/return_mean"] == 3


def test_frames_of_images_become_channels(train, data, counting: str) -> None:
    env = {
        "id": f"{counting}:Parity",
        "kwargs": {"observation": "image"},
        "wrappers": [{"name": "frame_stack", "frames": 3}],
    }
    outcome, _ = train(data(env, PPO, model=CNN, stop={"env_steps": 64}))
    assert outcome.evaluation.metrics["test/length_mean"] == 5
