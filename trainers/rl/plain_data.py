"""State as plain data for `torch.save` and `torch.load(weights_only=True)`: arrays as tensors."""

from typing import Any

import numpy as np
import torch


class _Marks:
    ARRAY = "__array__"


def pack(value: Any) -> Any:
    """`value` with its NumPy arrays and numbers as tensors and Python numbers."""
    if isinstance(value, np.ndarray):
        array = np.require(value, requirements=("C", "W"))  # Ray's arrays are not writable
        return {_Marks.ARRAY: torch.from_numpy(array), "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {k: pack(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(pack(v) for v in value) if type(value) in (list, tuple) else list(value)
    return value


def unpack(value: Any) -> Any:
    """What `pack` was given; named tuples come back as lists."""
    if isinstance(value, dict) and _Marks.ARRAY in value:
        return value[_Marks.ARRAY].numpy().reshape(value["shape"])
    if isinstance(value, dict):
        return {k: unpack(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(unpack(v) for v in value)
    return value
