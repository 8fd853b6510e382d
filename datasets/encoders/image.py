"""Images: bytes as they are, channel by channel."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.datasets.encoders.encoder import Encoder, Gaps, Mask, fixed_width
from trivium.datasets.row_hash import Hashes, hash_bytes
from trivium.datasets.transforms.affine import Statistics, Transform, identity
from trivium.platform.errors import Mistake

_PATH = "dataset.inputs"


class ImageEncoder(Encoder):
    """Learns how often each of the 256 levels occurs, which gives the exact mean and deviation."""

    name = "image"

    def __init__(
        self, column: str, shape: tuple[int, int, int], transforms: list[Transform]
    ) -> None:
        self._column, self._shape, self._transforms = column, shape, transforms
        self._width = shape[0] * shape[1] * shape[2]
        self._levels = np.zeros((shape[0], 256), np.int64)
        self._affine = identity(shape[0])
        self._statistics: Statistics | None = None
        self._uneven = Gaps(
            _PATH, column, f"is null or has not {self._width} pixels", "clean the data"
        )
        self._range = Gaps(_PATH, column, "has pixels outside 0 to 255", "scale them")

    def survey(self, batch: pa.RecordBatch, first_row: int) -> Hashes:
        """Look for images of another size."""
        cells, uneven = fixed_width(batch.column(self._column), self._width)
        self._uneven.add(uneven, first_row)
        if cells.dtype != np.uint8:
            outside: Mask = np.any((cells < 0) | (cells > 255), axis=1)
            self._range.add(outside, first_row)
        return hash_bytes(cells.astype(np.uint8, copy=False), "image")

    def mistakes(self) -> list[Mistake]:
        """Sizes and levels."""
        return self._uneven.mistakes() + self._range.mistakes()

    def fit(self, batch: pa.RecordBatch, is_training: Mask) -> None:
        """Count the levels of each channel."""
        channels, height, width = self._shape
        pixels = self.encode(batch)[is_training].reshape(-1, channels, height * width)
        for channel in range(channels):
            self._levels[channel] += np.bincount(pixels[:, channel].reshape(-1), minlength=256)

    def finish(self, num_training: int) -> None:
        """Fit the transforms, in their order."""
        levels = np.arange(256.0)
        count = np.maximum(self._levels.sum(axis=1), 1).astype(np.float64)
        mean = self._levels @ levels / count
        square = (self._levels * (levels - mean[:, None]) ** 2).sum(axis=1) / count
        seen = self._levels > 0
        self._statistics = statistics = Statistics(
            count=count,
            mean=mean,
            std=np.sqrt(square),
            min=seen.argmax(axis=1).astype(np.float64),
            max=255.0 - seen[:, ::-1].argmax(axis=1),
            is_pixels=True,
        )
        for transform in self._transforms:
            step = transform.affine(statistics)
            self._affine, statistics = self._affine.then(step), statistics.after(step)

    def storage(self) -> tuple[np.dtype[Any], int | None]:
        """A byte for each pixel."""
        return np.dtype(np.uint8), self._width

    def encode(self, batch: pa.RecordBatch) -> npt.NDArray[Any]:
        """The pixels, [n, channels * height * width]."""
        cells, _ = fixed_width(batch.column(self._column), self._width)
        return cells.astype(np.uint8, copy=False)

    def record(self) -> dict[str, Any]:
        """Shape, the affine step and the statistics of each channel."""
        assert self._statistics is not None
        return {
            "kind": "dense",
            "shape": list(self._shape),
            "columns": [self._column],
            "scale": self._affine.scale.tolist(),
            "shift": self._affine.shift.tolist(),
            "statistics": {
                key: getattr(self._statistics, key).tolist()
                for key in ("count", "mean", "std", "min", "max")
            },
        }
