"""All tests of this folder share one cache of prepared data sets, made for the run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trivium.datasets.dataset import Dataset
from trivium.datasets.prepare import prepare
from trivium.datasets.settings import DatasetSettings
from trivium.platform.settings import validate

Prepare = Callable[..., Dataset]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh cache folder."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIVIUM_CACHE", str(folder))
        yield folder


@pytest.fixture
def make() -> Prepare:
    """Prepares `dataset:` settings as a job file would give them."""

    def make(target_kind: Any = None, base: Path | None = None, **settings: Any) -> Dataset:
        return prepare(validate(DatasetSettings, settings), target_kind=target_kind, base=base)

    return make
