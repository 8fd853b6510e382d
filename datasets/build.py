"""Builds a prepared data set from a source, in three passes over its rows.

1. Survey: cells that cannot be used, a hash of each row, the classes; from these the splits.
2. Fit on the training rows: statistics, words, ids.
3. Write, the rows of a split side by side, in the order of the source.

All passes stream: what stays in memory is some 20 bytes for each row, never the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from trivium.datasets.column_file import ColumnFileWriter, ColumnSpec
from trivium.datasets.columns import Columns, choose_columns
from trivium.datasets.encoders.dense import DenseEncoder
from trivium.datasets.encoders.encoder import Encoder, Gaps
from trivium.datasets.encoders.identifier import IdEncoder
from trivium.datasets.encoders.image import ImageEncoder
from trivium.datasets.encoders.target import TargetEncoder
from trivium.datasets.encoders.text import TextEncoder
from trivium.datasets.folds import Fold
from trivium.datasets.meta import InputRecord, Meta, SplitRecord
from trivium.datasets.row_hash import Hashes, combined, digest, hash_values
from trivium.datasets.settings import DatasetSettings, TargetKind, TextSettings
from trivium.datasets.source import Source
from trivium.datasets.split_columns import own_splits, times
from trivium.datasets.splits import SPLITS, TRAIN, UNUSED, Codes, Keys, assign_splits
from trivium.datasets.transforms.affine import Transform
from trivium.datasets.transforms.impute import Impute
from trivium.datasets.transforms.standardize import StandardizeSettings
from trivium.platform.errors import Mistake, UserError
from trivium.platform.settings import ComponentSettings
from trivium.platform.settings import build as build_component


def build(
    folder: Path,
    fingerprint: str,
    source: Source,
    settings: DatasetSettings,
    target_kind: TargetKind | None,
    fold: Fold | None = None,
) -> None:
    """Write the columns, the lists of words and ids, and last `meta.json`, into `folder`.

    Raises:
        UserError: the settings do not suit the data; with every such mistake of a pass.
    """
    columns = choose_columns(settings, source)
    encoders = _encoders(settings, columns, source)
    kind = source.schema().field(columns.target).type
    target = TargetEncoder(columns.target, kind, target_kind, source.description.class_names)
    keys = _survey(source, columns, encoders, target)
    codes = assign_splits(settings.split, keys, source.name, fold)
    _fit(source, columns, encoders, target, codes)
    splits = _split_records(codes, keys, len(target.class_names))
    _write(folder, source, columns, encoders, target, codes, splits)
    pa.default_memory_pool().release_unused()
    Meta(
        fingerprint=fingerprint,
        source=source.name,
        licence=source.description.licence,
        num_rows=len(codes),
        target=columns.target,
        target_kind=target.kind,
        class_names=target.class_names,
        target_mean=None if target.kind == "class" else target.mean,
        inputs=tuple(InputRecord(name=e.name, **e.record()) for e in encoders),
        splits=splits,
        warnings=tuple(_warnings(encoders, target, splits)),
    ).write(folder)


def _encoders(settings: DatasetSettings, columns: Columns, source: Source) -> list[Encoder]:
    """One for each input of the model, in the order in which a model takes them."""
    kinds = columns.inputs
    impute, transforms = _transforms(settings)
    encoders: list[Encoder] = []
    for name, kind in kinds.items():
        if kind == "image":
            assert columns.image_shape is not None
            encoders.append(ImageEncoder(name, columns.image_shape, transforms))
    table = {name: kind for name, kind in kinds.items() if kind in ("number", "category")}
    if table:
        encoders.append(DenseEncoder(table, impute, transforms))
    text = settings.text or TextSettings()
    text = text.model_copy(update={"tokens": text.tokens or source.description.tokens})
    encoders += [TextEncoder(name, text) for name, kind in kinds.items() if kind == "text"]
    encoders += [IdEncoder(name) for name, kind in kinds.items() if kind == "id"]
    return encoders


def _transforms(settings: DatasetSettings) -> tuple[Impute | None, list[Transform]]:
    wanted: tuple[ComponentSettings, ...] = settings.transforms or ()
    if settings.transforms is None:
        wanted = (DEFAULT_TRANSFORM,)
    parts: list[Any] = []
    for i, component in enumerate(wanted):
        try:
            parts.append(build_component(component, "trivium.datasets.registry:TRANSFORMS", {}))
        except UserError as error:
            raise error.under(f"dataset.transforms.{i}") from None
    imputes = [i for i, part in enumerate(parts) if isinstance(part, Impute)]
    if imputes not in ([], [0]):
        raise UserError.at(
            f"dataset.transforms.{imputes[-1]}",
            "impute comes first and once: the other transforms are fitted on its result",
        )
    return (parts[0], parts[1:]) if imputes else (None, parts)


DEFAULT_TRANSFORM = StandardizeSettings(name="standardize")


@dataclass
class _Survey:
    """What pass 1 keeps of each row, batch by batch."""

    hashes: list[Hashes] = field(default_factory=list)
    groups: list[Hashes] = field(default_factory=list)
    times: list[npt.NDArray[Any]] = field(default_factory=list)
    own: list[Codes] = field(default_factory=list)


def _survey(
    source: Source, columns: Columns, encoders: list[Encoder], target: TargetEncoder
) -> Keys:
    kept = _Survey()
    mistakes: list[Mistake] = []
    missing_group = Gaps(
        "dataset.split.group", columns.group or "", "is null", "fill or remove these rows"
    )
    for batch, first_row in _batches(source, columns):
        kept.hashes.append(combined(e.survey(batch, first_row) for e in encoders))
        target.survey(batch, first_row)
        if columns.group is not None:
            values = batch.column(columns.group)
            missing_group.add(values.is_null().to_numpy(zero_copy_only=False), first_row)
            kept.groups.append(hash_values(values, "group"))
        if columns.time is not None:
            kept.times.append(times(batch.column(columns.time), columns.time, first_row))
        if columns.split is not None:
            kept.own.append(own_splits(batch.column(columns.split), columns.split, first_row))
    if not sum(map(len, kept.hashes)):
        raise UserError.at("dataset.source", f"{source.name} has no rows")
    mistakes += [m for e in encoders for m in e.mistakes()]
    mistakes += target.mistakes() + missing_group.mistakes()
    if mistakes:
        raise UserError(*mistakes)
    return Keys(
        rows=np.concatenate(kept.hashes),
        classes=target.codes(),
        groups=np.concatenate(kept.groups) if kept.groups else None,
        times=np.concatenate(kept.times) if kept.times else None,
        own=np.concatenate(kept.own) if kept.own else None,
    )


def _fit(
    source: Source,
    columns: Columns,
    encoders: list[Encoder],
    target: TargetEncoder,
    codes: Codes,
) -> None:
    for batch, first_row in _batches(source, columns):
        is_training = codes[first_row : first_row + batch.num_rows] == TRAIN
        for encoder in encoders:
            encoder.fit(batch, is_training)
        target.fit(batch, is_training)
    if mistakes := [m for e in encoders for m in e.mistakes()]:
        raise UserError(*mistakes)
    for encoder in encoders:
        encoder.finish(int((codes == TRAIN).sum()))


def _write(
    folder: Path,
    source: Source,
    columns: Columns,
    encoders: list[Encoder],
    target: TargetEncoder,
    codes: Codes,
    splits: dict[str, SplitRecord],
) -> None:
    specs = {"row": ColumnSpec(np.dtype(np.int64)), "target": ColumnSpec(*target.storage())}
    specs |= {encoder.name: _spec(encoder, codes) for encoder in encoders}
    next_row = [splits[name].start for name in SPLITS]
    with ColumnFileWriter(folder / "columns.arrow", int((codes != UNUSED).sum()), specs) as file:
        for batch, first_row in _batches(source, columns):
            part = codes[first_row : first_row + batch.num_rows]
            for code in np.unique(part[part != UNUSED]):
                places = np.flatnonzero(part == code)
                rows = batch if len(places) == len(part) else batch.take(pa.array(places))
                start = next_row[code]
                file.write("row", start, places + first_row)
                file.write("target", start, target.encode(rows))
                for encoder in encoders:
                    file.write(encoder.name, start, encoder.encode(rows))
                next_row[code] += len(places)
    for encoder in encoders:
        for name, values in encoder.tables().items():
            _write_list(folder / f"{name}.arrow", values)


def _spec(encoder: Encoder, codes: Codes) -> ColumnSpec:
    dtype, width = encoder.storage()
    if width is not None:
        return ColumnSpec(dtype, width)
    lengths = encoder.lengths()
    in_order = np.concatenate([lengths[codes == code] for code in range(len(SPLITS))])
    return ColumnSpec(dtype, None, np.cumsum(in_order, dtype=np.int64))


def _write_list(path: Path, values: pa.Array) -> None:
    batch = pa.record_batch({"value": values})
    with ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def _split_records(codes: Codes, keys: Keys, num_classes: int) -> dict[str, SplitRecord]:
    records, start = {}, 0
    for code, name in enumerate(SPLITS):
        chosen = codes == code
        num_rows = int(chosen.sum())
        counts: tuple[int, ...] = ()
        if keys.classes is not None:
            counts = tuple(np.bincount(keys.classes[chosen], minlength=num_classes).tolist())
        records[name] = SplitRecord(start, num_rows, digest(keys.rows[chosen]), counts)
        start += num_rows
    return records


def _warnings(
    encoders: list[Encoder], target: TargetEncoder, splits: dict[str, SplitRecord]
) -> Iterator[str]:
    counts = splits["train"].class_counts
    absent = [name for name, n in zip(target.class_names, counts, strict=False) if not n]
    if absent:
        yield (
            f"no training row is of class {', '.join(absent)}: it cannot be learned; "
            "try dataset.split.stratify, or a larger train fraction"
        )
    for encoder in encoders:
        if isinstance(encoder, DenseEncoder) and (names := encoder.coarse()):
            yield (
                f"the values of {', '.join(names)} are so large that float32 blurs their "
                "differences; subtract a start value (of a time, say) in the data"
            )


def _batches(source: Source, columns: Columns) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Each batch with the number of its first row."""
    first_row = 0
    for batch in source.batches(columns.all()):
        if batch.num_rows:
            yield batch, first_row
            first_row += batch.num_rows
