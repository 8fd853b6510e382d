"""A trained model for use without Trivium: safetensors and ONNX, compared on real rows."""

import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from trivium.datasets.batch import Batch
from trivium.datasets.dataset import Dataset
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.run import RunFolder
from trivium.trainers.supervised.progress import save_weights

_ROWS = 64
_TOLERANCE = 1e-3


def export(
    datasets: Sequence[Dataset], model: nn.Module, run: RunFolder, folder: Path
) -> Sequence[tuple[str, Path]]:
    """Write `model.safetensors`, `model.onnx` and `model.json` (inputs, classes, preprocessing).

    A model of several data sets (the same rows, prepared in several ways) takes the inputs of all
    of them, one data set's after the other's.

    Raises:
        UserError: the extra `export` is not installed.
        RunFailed: ONNX Runtime does not give the same outputs on real rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, onnx, contract = (folder / f"model.{e}" for e in ("safetensors", "onnx", "json"))
    save_weights(model, weights)
    inputs = [x for dataset in datasets for x in _real_rows(dataset).inputs]
    names = [f"input_{i}" for i in range(len(inputs))]
    num_rows = len(inputs[0])
    _write_onnx(model, inputs, names, onnx)
    difference = _difference(model, inputs, names, onnx)
    if not difference <= _TOLERANCE:
        raise RunFailed(
            f"{onnx} differs from the trained model by {difference:.3g} on {num_rows} rows "
            f"(at most {_TOLERANCE} is rounding); the weights in {weights} are right"
        )
    contract.write_text(
        json.dumps(
            {
                "run": run.id,
                "inputs": [
                    {"name": n, "dtype": str(x.dtype).removeprefix("torch."), "shape": _shape(x)}
                    for n, x in zip(names, inputs, strict=True)
                ],
                "target_kind": datasets[0].target_kind,
                "class_names": list(datasets[0].class_names),
                **_preparation(datasets),
                "max_difference": difference,
            },
            indent=2,
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    return [
        ("weights", weights),
        (f"ONNX, within {difference:.1e} of the model on {num_rows} rows", onnx),
        ("inputs, classes and preprocessing", contract),
    ]


def _preparation(datasets: Sequence[Dataset]) -> dict[str, object]:
    """How the inputs are made from the source: of several data sets in the order of the inputs."""
    if len(datasets) == 1:
        return {"dataset": datasets[0].state()}
    return {"datasets": [dataset.state() for dataset in datasets]}


def _real_rows(dataset: Dataset) -> Batch:
    split = next(s for s in ("test", "validation", "train") if dataset.num_rows(s))
    return next(iter(dataset.batches(split, _ROWS).epoch(0)))


def _shape(tensor: torch.Tensor) -> list[int | str]:
    return ["batch", *tensor.shape[1:]]


def _write_onnx(
    model: nn.Module, inputs: Sequence[torch.Tensor], names: Sequence[str], file: Path
) -> None:
    import contextlib
    import io
    import logging
    import warnings

    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f'ONNX export needs {error.name}, which is not installed: pip install "trivium[export]"'
        ) from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # A second export in a process would take the LSTM's length of the first one for fixed.
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    dimension = torch.export.Dim("batch", min=1, max=1_000_000)
    shapes = tuple(
        {0: dimension, **_dynamic_length(x, name)} for x, name in zip(inputs, names, strict=True)
    )
    # A model that takes any number of inputs has them as one argument.
    arguments = inspect.signature(model.forward).parameters.values()
    is_variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            tuple(inputs),
            str(file),
            dynamo=True,
            input_names=list(names),
            output_names=["output"],
            dynamic_shapes=(shapes,) if is_variadic else shapes,
            external_data=False,
            verbose=False,
        )


def _dynamic_length(tensor: torch.Tensor, name: str) -> dict[int, object]:
    """Sequences [B, T] of tokens may be of any length."""
    is_tokens = tensor.ndim == 2 and tensor.dtype == torch.int64
    return {1: torch.export.Dim(f"length_of_{name}", min=1, max=1_000_000)} if is_tokens else {}


@torch.inference_mode()
def _difference(
    model: nn.Module, inputs: Sequence[torch.Tensor], names: Sequence[str], file: Path
) -> float:
    """Largest absolute difference of the two outputs, on the whole batch and on one row."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0.0
    for rows in (len(inputs[0]), 1):
        first = tuple(x[:rows] for x in inputs)
        expected = model(*first).numpy()
        feed = {n: x.numpy() for n, x in zip(names, first, strict=True)}
        taken = {i.name for i in session.get_inputs()}
        (got, *_) = session.run(None, {n: x for n, x in feed.items() if n in taken})
        largest = max(largest, float(np.abs(expected - got).max()))
    return largest
