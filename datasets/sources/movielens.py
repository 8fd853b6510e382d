"""MovieLens 100k: who rated which film how, and when (in recbole)."""

import pyarrow as pa

from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.package_file import package_file


def movielens_100k() -> Source:
    """100,000 ratings of 1,682 films by 943 users.

    Columns: user, item, rating (1 to 5), timestamp (s).
    """
    file = package_file(
        "movielens-100k", "recbole", "1.2.1", "recbole/dataset_example/ml-100k/ml-100k.inter"
    )

    def load() -> pa.Table:
        from pyarrow import csv

        return csv.read_csv(
            file,
            csv.ReadOptions(column_names=["user", "item", "rating", "timestamp"], skip_rows=1),
            csv.ParseOptions(delimiter="\t"),
            csv.ConvertOptions(column_types={"rating": pa.float32()}),
        )

    description = Description(
        target="rating",
        inputs={"user": "id", "item": "id"},
        licence="GroupLens: research use, no redistribution; the package recbole is MIT",
    )
    return TableSource("movielens-100k", [file], load, description)
