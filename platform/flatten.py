"""Settings as dotted paths: how two jobs are compared, and how trackers want parameters."""

from collections.abc import Mapping
from typing import Any


def flatten(data: Any, prefix: str = "") -> dict[str, Any]:
    """`{"algorithm": {"lr": 0.1}}` as `{"algorithm.lr": 0.1}`.

    A list of plain values stays whole (`model.channels: [32, 64]`); of a list with mappings in it
    each entry has its number in the path (`dataset.transforms.0.name`).
    """
    if isinstance(data, Mapping):
        entries = [(str(k), v) for k, v in data.items()]
    elif isinstance(data, list | tuple) and any(isinstance(v, Mapping | list) for v in data):
        entries = [(str(i), v) for i, v in enumerate(data)]
    else:
        return {prefix: list(data) if isinstance(data, list | tuple) else data}
    flat: dict[str, Any] = {}
    for key, value in entries:
        flat.update(flatten(value, f"{prefix}.{key}" if prefix else key))
    return flat
