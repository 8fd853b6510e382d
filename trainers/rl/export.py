"""A policy for use without Trivium: weights, an ONNX network and what goes in and comes out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trivium.platform.errors import RunFailed, UserError
from trivium.trainers.rl.environment.spaces import Actions, Observations
from trivium.trainers.rl.job import RlJob

TOLERANCE = 1e-3


def export_network(
    job: RlJob,
    network: nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: Sequence[str],
    contract: dict[str, Any],
    folder: Path,
) -> list[tuple[str, Path]]:
    """Write `policy.safetensors`, `policy.onnx` and `policy.json` into `folder`.

    Args:
        job: goes into the contract.
        network: takes `inputs` in their order and gives `outputs` in theirs, rows first.
        inputs: name -> example of two or more rows.
        outputs: names.
        contract: what else the JSON file says.
        folder: made when it is missing.

    Raises:
        UserError: the extra `export` is not installed.
        RunFailed: ONNX Runtime does not give the same outputs.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights, onnx, text = (folder / f"policy.{e}" for e in ("safetensors", "onnx", "json"))
    tensors = network.state_dict()
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, weights)
    _write_onnx(network, inputs, outputs, onnx)
    difference = _difference(network, inputs, onnx)
    if not difference <= TOLERANCE:
        raise RunFailed(
            f"{onnx} differs from the trained policy by {difference:.3g} (at most {TOLERANCE} is "
            f"rounding); the weights in {weights} are right"
        )
    described = [_tensor(name, tensor) for name, tensor in inputs.items()]
    content = {"env": job.env.model_dump(mode="json"), "inputs": described, **contract}
    text.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return [
        ("weights", weights),
        (f"ONNX, within {difference:.1e} of the policy", onnx),
        ("observations and actions", text),
    ]


def describe_observations(observations: Observations) -> dict[str, Any]:
    """What the input `observation` is, for the contract."""
    how = {
        "discrete": "the observation less the space's start, a whole number",
        "multi_discrete": "whole numbers, each less its start",
        "flat": "the parts of the Dict or Tuple in its order, discrete ones one-hot, in one vector",
    }
    return {
        "space": str(observations.space),
        "given_as": how.get(observations.kind, "the observation as it is"),
        "normalised": "inside the network",
    }


def describe_actions(actions: Actions) -> dict[str, Any]:
    """What the output `action` is, for the contract."""
    start = getattr(actions.space, "start", 0)
    return {
        "space": str(actions.space),
        "given_as": "within the space's bounds"
        if actions.kind == "continuous"
        else "whole numbers from 0; add the space's start",
        "start": np.asarray(start).tolist(),
    }


def example_observations(observations: Observations, rows: int = 8) -> torch.Tensor:
    """Stored observations drawn from the space, [rows, *shape]."""
    observations.space.seed(0)
    drawn = [observations.one(observations.space.sample()) for _ in range(rows)]
    return torch.from_numpy(np.stack(drawn))


def _tensor(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"name": name, "dtype": dtype, "shape": ["batch", *tensor.shape[1:]]}


def _write_onnx(
    network: nn.Module, inputs: dict[str, torch.Tensor], outputs: Sequence[str], file: Path
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
    batch = torch.export.Dim("batch", min=1, max=1_000_000)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            str(file),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            external_data=False,
            verbose=False,
        )


@torch.inference_mode()
def _difference(network: nn.Module, inputs: dict[str, torch.Tensor], file: Path) -> float:
    """Largest absolute difference of any output, on all rows and on one."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    taken = {i.name for i in session.get_inputs()}
    largest = 0.0
    for rows in (len(next(iter(inputs.values()))), 1):
        part = {name: tensor[:rows] for name, tensor in inputs.items()}
        expected = network(*part.values())
        feed = {n: x.numpy() for n, x in part.items() if n in taken}
        for one, other in zip(expected, session.run(None, feed), strict=True):
            largest = max(largest, float(np.abs(one.numpy() - other).max()))
    return largest
