"""Dict observations: as one vector for most models, in parts for those that name them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from trivium.platform.errors import UserError
from trivium.platform.job import algorithm_class, check_job
from trivium.trainers.rl.environment.spaces import observations_of
from trivium.trainers.rl.network import make_network, parts_of

OWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shapes: dict[str, tuple[int, ...]], output_size: int, width: int = 4):
        super().__init__()
        assert input_shapes == {"mode": (3,), "place": (2,), "inner/flags": (2,)}, input_shapes
        self.place = nn.Linear(2, width)
        self.mode = nn.Linear(3, width)
        self.flags = nn.Linear(2, width)
        self.head = nn.Linear(3 * width, output_size)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        place, mode = self.place(inputs["place"]), self.mode(inputs["mode"])
        read = place, mode, self.flags(inputs["inner/flags"])
        return self.head(torch.relu(torch.cat(read, 1)))
"""
PPO = {"name": "ppo", "rollout_steps": 8, "minibatch_size": 16, "epochs": 1}
ALGORITHMS = {
    "ppo": PPO,
    "memory": PPO | {"memory": 4},
    "dqn": {"name": "dqn", "learning_starts": 32, "batch_size": 8},
}


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(OWN)
    return f"{tmp_path / 'net.py'}:Net"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("ready", [False, True], ids=["own", "multi_input"])
def test_a_model_takes_the_parts_of_a_dict(train, data, counting, own, algorithm, ready) -> None:
    env = {"id": f"{counting}:Parity", "kwargs": {"observation": "dict"}}
    model = {"name": "multi_input", "hidden": [8]} if ready else {"name": own, "width": 5}
    job = data(env, ALGORITHMS[algorithm], model=model, stop={"env_steps": 100})
    outcome, run = train(job)
    assert outcome.evaluation.metrics["test/length_mean"] == 5
    trainer = algorithm_class(ALGORITHMS[algorithm]["name"])(check_job(job))
    trainer.load_player(run.checkpoint("best").path)


def test_parts_come_in_the_order_of_the_vector_and_images_are_scaled(data, counting) -> None:
    space = spaces.Dict(
        {
            "view": spaces.Box(0, 255, (4, 6, 3), np.uint8),
            "pair": spaces.Tuple((spaces.Discrete(3), spaces.Box(-1, 1, (2,), np.float32))),
        }
    )
    names = [(part.name, part.shape) for part in parts_of(space)]
    assert names == [("pair/0", (3,)), ("pair/1", (2,)), ("view", (3, 4, 6))]
    env = {"id": f"{counting}:Parity", "kwargs": {"observation": "dict"}}
    job = check_job(data(env, PPO, model="multi_input"))
    network = make_network(job, observations_of(space), 2)
    seen = {}
    network.model.forward = lambda inputs: seen.update(inputs)
    view = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    observation = {"view": view, "pair": (1, np.array([0.5, -0.5], np.float32))}
    network(torch.from_numpy(observations_of(space).one(observation)[None]))
    assert seen["pair/0"].tolist() == [[0, 1, 0]]
    assert seen["pair/1"].tolist() == [[0.5, -0.5]]
    expected = torch.from_numpy(view).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(seen["view"], expected)


def test_a_model_of_parts_needs_parts(data) -> None:
    job = check_job(data("CartPole-v1", PPO, model="multi_input"))
    with pytest.raises(UserError) as error:
        algorithm_class("ppo")(job).preflight()
    assert str(error.value).startswith(
        "model: multi_input reads the parts of a Dict (input_shapes), and CartPole-v1 shows Box("
    )
    assert str(error.value).endswith("name a model that takes input_shape, such as mlp")
