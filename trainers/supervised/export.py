"""A trained model for use without Trivium: safetensors and ONNX, compared on real rows."""

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
from trivium.trainers.supervised.job import SupervisedJob
from trivium.trainers.supervised.progress import save_weights

_ROWS = 64
_TOLERANCE = 1e-3


def export(
    job: SupervisedJob, dataset: Dataset, model: nn.Module, run: RunFolder, folder: Path
) -> Sequence[tuple[str, Path]]:
    """Write `model.safetensors`, `model.onnx` and `model.json` (inputs, classes, preprocessing).

    Raises:
        UserError: the extra `export` is not installed.
        RunFailed: ONNX Runtime does not give the same outputs on real rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, onnx, contract = (folder / f"model.{e}" for e in ("safetensors", "onnx", "json"))
    save_weights(model, weights)
    batch = _real_rows(dataset)
    names = [f"input_{i}" for i in range(len(batch.inputs))]
    _write_onnx(model, batch, names, onnx)
    difference = _difference(model, batch, names, onnx)
    if not difference <= _TOLERANCE:
        raise RunFailed(
            f"{onnx} differs from the trained model by {difference:.3g} on {len(batch.rows)} rows "
            f"(at most {_TOLERANCE} is rounding); the weights in {weights} are right"
        )
    contract.write_text(
        json.dumps(
            {
                "run": run.id,
                "inputs": [
                    {"name": n, "dtype": str(x.dtype).removeprefix("torch."), "shape": _shape(x)}
                    for n, x in zip(names, batch.inputs, strict=True)
                ],
                "target_kind": dataset.target_kind,
                "class_names": list(dataset.class_names),
                "dataset": dataset.state(),
                "max_difference": difference,
            },
            indent=2,
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    return [
        ("weights", weights),
        (f"ONNX, within {difference:.1e} of the model on {len(batch.rows)} rows", onnx),
        ("inputs, classes and preprocessing", contract),
    ]


def _real_rows(dataset: Dataset) -> Batch:
    split = next(s for s in ("test", "validation", "train") if dataset.num_rows(s))
    return next(iter(dataset.batches(split, _ROWS).epoch(0)))


def _shape(tensor: torch.Tensor) -> list[int | str]:
    return ["batch", *tensor.shape[1:]]


def _write_onnx(model: nn.Module, batch: Batch, names: Sequence[str], file: Path) -> None:
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
    shapes = tuple({0: dimension, **_dynamic_length(x)} for x in batch.inputs)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            tuple(batch.inputs),
            str(file),
            dynamo=True,
            input_names=list(names),
            output_names=["output"],
            dynamic_shapes=shapes,
            external_data=False,
            verbose=False,
        )


def _dynamic_length(tensor: torch.Tensor) -> dict[int, object]:
    """Sequences [B, T] of tokens may be of any length."""
    is_tokens = tensor.ndim == 2 and tensor.dtype == torch.int64
    return {1: torch.export.Dim("length", min=1, max=1_000_000)} if is_tokens else {}


@torch.inference_mode()
def _difference(model: nn.Module, batch: Batch, names: Sequence[str], file: Path) -> float:
    """Largest absolute difference of the two outputs, on the whole batch and on one row."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0.0
    for rows in (len(batch.rows), 1):
        inputs = tuple(x[:rows] for x in batch.inputs)
        expected = model(*inputs).numpy()
        feed = {n: x.numpy() for n, x in zip(names, inputs, strict=True)}
        taken = {i.name for i in session.get_inputs()}
        (got, *_) = session.run(None, {n: x for n, x in feed.items() if n in taken})
        largest = max(largest, float(np.abs(expected - got).max()))
    return largest
