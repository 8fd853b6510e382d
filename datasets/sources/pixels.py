"""Pixels as an Arrow column: a row is a fixed-size list of bytes, channel by channel."""

import numpy as np
import pyarrow as pa


def pixel_column(pixels: np.ndarray) -> pa.FixedSizeListArray:
    """Images [N, ...] uint8 as an Arrow column, without a copy where they are contiguous."""
    flat = np.ascontiguousarray(pixels, dtype=np.uint8).reshape(len(pixels), -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
