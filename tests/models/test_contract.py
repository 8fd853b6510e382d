"""What every registered model promises, whatever its structure."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trivium.models.registry import MODELS
from trivium.platform.settings import build, read_component

REGISTRY = "trivium.models.registry:MODELS"
BATCH = 6


@dataclass(frozen=True)
class Case:
    """A small instance: its settings, the facts of its data, the kind of its inputs."""

    settings: dict[str, Any]
    facts: Mapping[str, Any]
    inputs: str
    output_size: int | None = 3
    dynamic: tuple[dict[int, str], ...] = field(default=({0: "batch"},))

    def model(self, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        made = build(read_component(self.settings, REGISTRY), REGISTRY, self.facts)
        assert isinstance(made, nn.Module)
        return made

    def batch(self, size: int = BATCH, seed: int = 1) -> tuple[Any, ...]:
        generator = torch.Generator().manual_seed(seed)
        if self.inputs == "dense":
            return (torch.randn(size, *self.facts["input_shape"], generator=generator),)
        if self.inputs == "tokens":
            lengths = torch.randint(1, 8, (size,), generator=generator)
            tokens = torch.randint(1, 20, (size, 7), generator=generator)
            return tokens * (torch.arange(7) < lengths[:, None]), lengths
        if self.inputs == "parts":
            shapes = self.facts["input_shapes"].items()
            return ({k: torch.randn(size, *s, generator=generator) for k, s in shapes},)
        users = torch.arange(size) % self.facts["num_users"]
        return users, torch.arange(size) % self.facts["num_items"]


TABLE = {"input_shape": (5,), "output_size": 3}
IMAGES = {"input_shape": (2, 9, 8), "output_size": 3}
PARTS = {"input_shapes": {"view": (2, 9, 8), "place": (3,)}, "output_size": 3}
TEXT = {"vocabulary_size": 20, "output_size": 3}
RATINGS = {"num_users": 6, "num_items": 6, "target_mean": 3.5}
TEXT_AXES = ({0: "batch", 1: "length"}, {0: "batch"})
RATING_AXES = ({0: "batch"}, {0: "batch"})


def mlp(**settings: Any) -> Case:
    return Case({"name": "mlp", "hidden": [8, 8], **settings}, TABLE, "dense")


def cnn(**settings: Any) -> Case:
    small = {"name": "cnn", "channels": [4, 6], "hidden": [8]}
    return Case({**small, **settings}, IMAGES, "dense")


def lstm(**settings: Any) -> Case:
    small = {"name": "lstm", "embedding_size": 4, "hidden_size": 5}
    return Case({**small, **settings}, TEXT, "tokens", dynamic=TEXT_AXES)


def matrix(**settings: Any) -> Case:
    named = {"name": "matrix_factorization", "rank": 3, **settings}
    return Case(named, RATINGS, "ids", output_size=None, dynamic=RATING_AXES)


def multi(**settings: Any) -> Case:
    small = {"name": "multi_input", "channels": [4, 6], "hidden": [8]}
    return Case({**small, **settings}, PARTS, "parts")


CASES = {
    "mlp": mlp(),
    "mlp batch residual": mlp(normalization="batch", residual=True, initialization="xavier"),
    "mlp layer dropout": mlp(normalization="layer", dropout=0.5, activation="gelu"),
    "mlp linear": mlp(hidden=[]),
    "mlp of images": Case({"name": "mlp"}, IMAGES, "dense"),
    "cnn": cnn(),
    "cnn residual": cnn(residual=True, convolutions=2, normalization="layer"),
    "cnn strided": cnn(pooling="stride", residual=True, normalization="none", hidden=[]),
    "cnn mean": cnn(summary="mean", pooling="average", dropout=0.5, activation="leaky_relu"),
    "lstm": lstm(),
    "lstm last": lstm(pooling="last"),
    "lstm last residual": lstm(pooling="last", layers=2, residual=True, dropout=0.5),
    "lstm mean forwards": lstm(pooling="mean", bidirectional=False, normalization="layer"),
    "multi_input": multi(),
    "multi_input tanh": multi(activation="tanh", initialization="orthogonal"),
    "matrix_factorization": matrix(),
    "matrix_factorization biases": matrix(rank=0),
    "matrix_factorization factors": matrix(biases=False, dropout=0.5),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def test_every_registered_model_has_a_case() -> None:
    assert {case.settings["name"] for case in CASES.values()} == set(MODELS)


@every_case
def test_gives_one_row_of_outputs_for_each_row_of_inputs(case: Case) -> None:
    outputs = case.model()(*case.batch())
    expected = (BATCH,) if case.output_size is None else (BATCH, case.output_size)
    assert outputs.shape == expected
    assert outputs.dtype == torch.float32
    assert outputs.isfinite().all()


@every_case
def test_a_gradient_reaches_every_parameter(case: Case) -> None:
    model = case.model()
    outputs = model(*case.batch())
    (outputs * torch.randn(outputs.shape, generator=torch.manual_seed(2))).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@every_case
def test_the_same_seed_gives_the_same_model_and_another_seed_another(case: Case) -> None:
    first, again, other = (case.model(seed).eval()(*case.batch()) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    if case.settings.get("rank") != 0:  # biases start at zero
        assert not torch.equal(first, other)


@every_case
def test_a_row_is_not_affected_by_the_other_rows_of_its_batch(case: Case) -> None:
    model = case.model().eval()
    batch = case.batch()
    alone = torch.cat([model(*(row(x, i) for x in batch)) for i in range(BATCH)])
    torch.testing.assert_close(alone, model(*batch), atol=1e-5, rtol=1e-5)


def row(batch: Any, index: int) -> Any:
    if isinstance(batch, dict):
        return {name: part[index : index + 1] for name, part in batch.items()}
    return batch[index : index + 1]


@every_case
def test_weights_come_back_from_a_file(case: Case) -> None:
    model, file = case.model(0), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = case.model(1)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(model.eval()(*case.batch()), other.eval()(*case.batch()))
    assert all(tensor.is_contiguous() for tensor in model.state_dict().values())  # safetensors


EXPORTED = ("mlp batch residual", "cnn residual", "lstm last", "matrix_factorization")


@pytest.mark.parametrize("name", EXPORTED)
def test_the_onnx_export_agrees_for_other_batch_sizes(name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    case = CASES[name]
    model = case.model().eval()
    # torch 2.13 exports a dynamic length once per process: it forgets to empty this cache.
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model, case.batch(), dynamo=True, dynamic_shapes=_axes(case), verbose=False
        )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    names = [node.name for node in session.get_inputs()]
    for size in (1, 4):
        batch = tuple(x[:, :5] if x.shape[1:] == (7,) else x for x in case.batch(size, seed=3))
        batch = (*batch[:-1], batch[-1].clamp(max=5)) if case.inputs == "tokens" else batch
        fed = {n: x.numpy() for n, x in zip(names, batch, strict=True)}
        expected = model(*batch).detach().numpy()
        np.testing.assert_allclose(session.run(None, fed)[0], expected, atol=1e-5)


def _axes(case: Case) -> tuple[dict[int, Any], ...]:
    names = {name for axes in case.dynamic for name in axes.values()}
    dims = {name: torch.export.Dim(name) for name in sorted(names)}
    return tuple({axis: dims[name] for axis, name in axes.items()} for axes in case.dynamic)
