"""Images in the idx format of MNIST: Fashion-MNIST where Debian puts it, or a folder of such files.

The format: http://yann.lecun.com/exdb/mnist/ (a magic number, the sizes, the bytes).
"""

import gzip
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa

from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.pixels import pixel_column
from trivium.platform.errors import UserError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_SPLITS = {"train": "train", "test": "t10k"}  # the name of a split -> the prefix of its files
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist() -> Source:
    """60,000 training and 10,000 test pictures of clothes. Columns: image, label, split."""
    if not is_idx_folder(DEBIAN_FOLDER):
        raise UserError.at(
            "dataset.source",
            f"fashion-mnist is not in {DEBIAN_FOLDER}; run: apt-get install dataset-fashion-mnist, "
            "or write the folder of its four idx files as the source",
        )
    return idx_folder(DEBIAN_FOLDER, "fashion-mnist", _CLOTHES, "Zalando SE, MIT")


def is_idx_folder(folder: Path) -> bool:
    """Whether `folder` holds training images in the idx format, plain or gzipped."""
    return _find(folder, "train-images-idx3-ubyte") is not None


def idx_folder(
    folder: Path, name: str, class_names: tuple[str, ...] = (), licence: str = ""
) -> Source:
    """The images of `folder`; its test split is the t10k files, where there are any.

    Columns: image (uint8 [height * width]), label (0, 1, ...), split.
    """
    pairs = {
        split: (images, _labels_of(folder, prefix))
        for split, prefix in _SPLITS.items()
        if (images := _find(folder, f"{prefix}-images-idx3-ubyte")) is not None
    }
    height, width = _shape(pairs["train"][0])[1:]

    def load() -> pa.Table:
        return pa.concat_tables(_read(split, *files) for split, files in pairs.items())

    description = Description(
        target="label",
        inputs={"image": "image"},
        image_shape=(1, height, width),
        class_names=class_names,
        split_column="split" if "test" in pairs else None,
        licence=licence,
    )
    return TableSource(name, [f for pair in pairs.values() for f in pair], load, description)


def _read(split: str, images: Path, labels: Path) -> pa.Table:
    pixels, classes = _array(images), _array(labels)
    if len(pixels) != len(classes):
        raise UserError.at(
            "dataset.source",
            f"{images} has {len(pixels)} images but {labels} has {len(classes)} labels",
        )
    splits = pa.DictionaryArray.from_arrays(np.zeros(len(pixels), np.int8), [split])
    return pa.table(
        {"image": pixel_column(pixels), "label": classes, "split": splits.cast(pa.string())}
    )


def _find(folder: Path, name: str) -> Path | None:
    return next((f for f in (folder / name, folder / f"{name}.gz") if f.is_file()), None)


def _labels_of(folder: Path, prefix: str) -> Path:
    file = _find(folder, f"{prefix}-labels-idx1-ubyte")
    if file is None:
        raise UserError.at(
            "dataset.source", f"{folder} has {prefix}-images but no {prefix}-labels-idx1-ubyte[.gz]"
        )
    return file


def _bytes(file: Path, count: int = -1) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as f:
            return f.read(count)
    except (OSError, EOFError) as error:
        raise UserError.at("dataset.source", f"{file} cannot be read: {error}") from None


def _shape(file: Path) -> tuple[int, ...]:
    head = _bytes(file, 16)
    if head[:3] != b"\x00\x00\x08" or len(head) < 16:
        raise UserError.at("dataset.source", f"{file} is not an idx file of bytes")
    return struct.unpack(f">{head[3]}i", head[4 : 4 + 4 * head[3]])


def _array(file: Path) -> np.ndarray:
    shape = _shape(file)
    cells = np.frombuffer(_bytes(file), np.uint8, offset=4 + 4 * len(shape))
    if cells.size != np.prod(shape):
        raise UserError.at(
            "dataset.source",
            f"{file} is cut short: it promises {np.prod(shape)} bytes and has {cells.size}",
        )
    return cells.reshape(shape)
