"""The small data sets inside scikit-learn, read from its files: importing it takes a second."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa

from trivium.datasets.settings import Kind
from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.package_file import package_file
from trivium.datasets.sources.pixels import pixel_column

_LICENCE = "UCI Machine Learning Repository, CC BY 4.0; the package scikit-learn is BSD-3"
_MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
_BLOOD = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def digits() -> Source:
    """1,797 digits, 8 x 8 gray. Columns: image (uint8 [64]), label (0 to 9).

    The file's 17 gray levels are stretched from 0..16 to 0..255, as in any other picture.
    """
    file = _file("digits", "digits.csv.gz")

    def load() -> pa.Table:
        cells = np.loadtxt(file, delimiter=",")
        pixels = np.rint(cells[:, :-1] * (255 / 16)).astype(np.uint8)
        return pa.table({"image": pixel_column(pixels), "label": cells[:, -1].astype(np.uint8)})

    description = Description(
        target="label", inputs={"image": "image"}, image_shape=(1, 8, 8), licence=_LICENCE
    )
    return TableSource("digits", [file], load, description)


def breast_cancer() -> Source:
    """569 tumours, 30 measures of cell nuclei each; target: diagnosis (malignant 0, benign 1)."""
    file = _file("breast-cancer", "breast_cancer.csv")
    names = [f"{kind}_{m}" for kind in ("mean", "error", "worst") for m in _MEASURES]

    def load() -> pa.Table:
        cells = np.loadtxt(file, delimiter=",", skiprows=1)
        return _table(names, cells[:, :-1]).append_column(
            "diagnosis", pa.array(cells[:, -1].astype(np.uint8))
        )

    description = Description(
        target="diagnosis",
        inputs=_numbers(names),
        class_names=("malignant", "benign"),
        licence=_LICENCE,
    )
    return TableSource("breast-cancer", [file], load, description)


def diabetes() -> Source:
    """442 patients, 10 measures; target: progression, a year later (real, 25 to 346).

    The measures are the raw ones, not scikit-learn's scaled ones, whose means and deviations
    were taken over all rows, those of the test split included.
    """
    files = [_file("diabetes", f) for f in ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz")]

    def load() -> pa.Table:
        with gzip.open(files[0]) as data, gzip.open(files[1]) as target:
            cells, progression = np.loadtxt(data), np.loadtxt(target)
        return _table(_BLOOD, cells).append_column("progression", pa.array(progression))

    description = Description(
        target="progression",
        inputs=_numbers(_BLOOD),
        licence="Efron, Hastie, Johnstone and Tibshirani (2004); scikit-learn is BSD-3",
    )
    return TableSource("diabetes", files, load, description)


def _file(source: str, name: str) -> Path:
    return package_file(source, "scikit-learn", "1.9.1", f"sklearn/datasets/data/{name}")


def _numbers(names: "list[str] | tuple[str, ...]") -> dict[str, Kind]:
    return dict.fromkeys(names, "number")


def _table(names: "list[str] | tuple[str, ...]", cells: np.ndarray) -> pa.Table:
    return pa.table({name: cells[:, i] for i, name in enumerate(names)})
