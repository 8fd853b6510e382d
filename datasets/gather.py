"""Gathering the rows of one input into tensors, with its step x * scale + shift."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

from trivium.datasets.dataset import Dataset
from trivium.datasets.meta import InputRecord
from trivium.datasets.rows import Rows, StoredCells, is_read, rows_of


class Gather(Protocol):
    """One input of a few batches that follow each other."""

    def __call__(
        self, wholes: Sequence[torch.Tensor], mine: Sequence[torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """For each batch new tensors on the device, which the caller may keep and change.

        `mine` are this worker's rows of each of the global batches `wholes`, as file places.
        """


def take_each(rows: Rows, places: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """The rows of a few batches, [B, width] each, or [B] where the width is 1.

    One gather for all: a call costs more than the work on a small batch.
    """
    taken = rows.take(_together(places))
    if taken.shape[1] == 1:
        taken = taken.view(-1)
    parts: Sequence[torch.Tensor] = taken.split([len(p) for p in places])
    return parts


def _together(places: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(places)) if len(places) > 1 else places[0]


def column_rows(dataset: Dataset, name: str) -> Rows:
    """The rows of a column whose rows are all of one width."""
    return rows_of(dataset.columns[name].cells, dataset.columns_path, dataset.file)


def gather_for(dataset: Dataset, record: InputRecord, device: torch.device) -> Gather:
    """The gather of an input's kind."""
    if record.kind == "tokens":
        return TokensGather(dataset, record.name, device)
    rows = column_rows(dataset, record.name)
    return DenseGather(record, rows, device) if record.kind == "dense" else IdGather(rows, device)


class DenseGather:
    """Tables and images. Bytes travel to the device as bytes and become float32 there."""

    def __init__(self, record: InputRecord, rows: Rows, device: torch.device) -> None:
        self._rows = rows
        self._shape, self._device = record.shape, device
        scale, shift = np.array(record.scale), np.array(record.shift)
        self._is_identity = bool((scale == 1).all() and (shift == 0).all())
        self._is_uniform = bool((scale == scale[0]).all() and (shift == shift[0]).all())
        self._factor = float(scale[0])
        per_cell = (-1, *[1] * (len(record.shape) - 1))  # [F], or [C, 1, 1]
        self._scale, self._shift = (
            torch.tensor(v, dtype=torch.float32, device=device).reshape(per_cell)
            for v in (scale, shift)
        )

    def __call__(
        self, wholes: Sequence[torch.Tensor], mine: Sequence[torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """Float32 [B, *shape]."""
        if self._device.type == "cpu":  # here the numbers of all batches are made at once, too
            numbers = self._numbers(self._rows.take(_together(mine)))
            yield from ((part,) for part in numbers.split([len(p) for p in mine]))
            return
        for cells in take_each(self._rows, mine):
            yield (self._numbers(to_device(cells, self._device)),)

    def _numbers(self, cells: torch.Tensor) -> torch.Tensor:
        x = cells.float().view(len(cells), *self._shape)
        if self._is_identity:
            return x
        if self._is_uniform:  # one pass over the cells instead of two
            return torch.add(self._shift, x, alpha=self._factor, out=x)
        return x.mul_(self._scale).add_(self._shift)


class TokensGather:
    """Texts, padded with 0 to the longest of the global batch."""

    def __init__(self, dataset: Dataset, name: str, device: torch.device) -> None:
        column = dataset.columns[name]
        assert column.starts is not None
        self._starts = torch.from_numpy(column.starts)
        self._device = device
        self._cells: torch.Tensor | StoredCells = (
            StoredCells(column.cells.dtype, dataset.columns_path, dataset.file.offset(column.cells))
            if is_read(column.cells)
            else torch.from_numpy(column.cells)
        )

    def __call__(
        self, wholes: Sequence[torch.Tensor], mine: Sequence[torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """Tokens int64 [B, T] and lengths int64 [B]."""
        return map(self._padded, wholes, mine)

    def _padded(self, whole: torch.Tensor, mine: torch.Tensor) -> tuple[torch.Tensor, ...]:
        starts, lengths = self._extents(mine)
        longest = lengths if whole is mine else self._extents(whole)[1]
        steps = torch.arange(int(longest.max()))
        inside = steps < lengths[:, None]
        if isinstance(self._cells, StoredCells):
            tokens = torch.zeros(inside.shape, dtype=torch.int64)
            tokens[inside] = self._cells.take(starts.numpy(), lengths.tolist()).long()
        else:
            places = torch.where(inside, starts[:, None] + steps, 0)
            tokens = torch.take(self._cells, places).long().mul_(inside)
        return to_device(tokens, self._device), to_device(lengths, self._device)

    def _extents(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.index_select(self._starts, 0, index)
        return starts, torch.index_select(self._starts, 0, index + 1) - starts


class IdGather:
    """Ids of users or items."""

    def __init__(self, rows: Rows, device: torch.device) -> None:
        self._rows, self._device = rows, device

    def __call__(
        self, wholes: Sequence[torch.Tensor], mine: Sequence[torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """Int64 [B]."""
        for ids in take_each(self._rows, mine):
            yield (to_device(ids, self._device),)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`; to a GPU from pinned memory, so that the copy does not wait."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor if device.type == "cpu" else tensor.to(device)
