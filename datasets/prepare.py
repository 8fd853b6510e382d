"""From the settings of a job to a data set that is ready to train on."""

import hashlib
import json
from pathlib import Path

from trivium.datasets.cache import built_folder, content_hash
from trivium.datasets.dataset import Dataset
from trivium.datasets.find_source import find_source
from trivium.datasets.folds import Fold
from trivium.datasets.meta import FORMAT
from trivium.datasets.settings import DatasetSettings, TargetKind
from trivium.datasets.source import Source
from trivium.platform.settings import dump


def prepare(
    settings: DatasetSettings,
    *,
    target_kind: TargetKind | None = None,
    base: Path | None = None,
    fold: Fold | None = None,
) -> Dataset:
    """The data set, from the cache when the same data were prepared the same way before.

    Args:
        settings: the `dataset` part of a job.
        target_kind: what the task needs; None takes what the target column looks like.
        base: folder of the job file; relative paths are looked for in the working directory, then
            there.
        fold: of a cross-validation: divides the rows that are not tested on.

    Raises:
        UserError: the source is missing, or the settings do not suit the data.
    """
    source = find_source(settings.source, base)
    fingerprint = _fingerprint(source, settings, target_kind, fold)

    def build_into(folder: Path) -> None:
        from trivium.datasets.build import build

        build(folder, fingerprint, source, settings, target_kind, fold)

    return Dataset.open(built_folder(fingerprint, build_into))


def _fingerprint(
    source: Source,
    settings: DatasetSettings,
    target_kind: TargetKind | None,
    fold: Fold | None,
) -> str:
    """Hash of the bytes that were read and of all that was asked of them.

    The place of the files is not part of it: the same files elsewhere are the same data.
    """
    asked = dump(settings)
    del asked["source"]
    own = [t.name.partition(":")[0] for t in settings.transforms or () if ".py:" in t.name]
    code = content_hash(Path(file).expanduser() for file in own)
    parts = [FORMAT, source.identity(), code, target_kind, asked]
    if fold is not None:
        parts.append([fold.index, fold.count])
    text = json.dumps(parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
