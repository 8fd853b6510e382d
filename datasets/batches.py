"""Batches gathered by index from the mapped columns.

No row becomes a Python object: a batch is one gather for each column, a few microseconds, and
then one step on the numbers. Half of a Python call per row would cost more than the gather.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from trivium.datasets.batch import Batch
from trivium.datasets.dataset import Dataset
from trivium.datasets.gather import column_rows, gather_for, take_each, to_device

Places = npt.NDArray[np.int32] | npt.NDArray[np.int64]

_POOL = 50  # batches whose texts are sorted by length together
_MOST_AHEAD = 8  # batches gathered together; more leave the processor's cache before they are used
_BYTES_AHEAD = 2**20


class Batches:
    """The batches of one split for one worker.

    Global batch i of an epoch is the same for any number of workers; each takes every
    `world_size`-th of its rows. The last one may have fewer rows than `batch_size`, and where it
    has fewer rows than there are workers, some get a batch of no rows (B = 0): they must still
    take part in the step.

    Texts are put into batches of about equal length, shuffled or not; a batch is padded to the
    longest text of the global batch, so that it does not depend on the number of workers.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        rank: int = 0,
        world_size: int = 1,
        device: str = "cpu",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be below world_size, got {rank} of {world_size}")
        self._dataset, self._batch_size = dataset, batch_size
        self._seed, self._shuffle = seed, shuffle
        self._rank, self._world_size = rank, world_size
        self._first, self._num_rows = dataset.split(split).start, dataset.num_rows(split)
        self._device = torch.device(device)
        self.num_batches = -(-self._num_rows // batch_size)
        """Global batches in an epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first `start`, which cost nothing.

        The order follows from the seed and the number of the epoch alone.
        """
        if not self._num_rows:
            return
        reader = _Reader(self._dataset, self._device)
        order = torch.from_numpy(self._order(epoch, reader.lengths))
        size, step = self._batch_size, self._world_size
        ahead = size * reader.batches_ahead(size)
        for first in range(start * size, self._num_rows, ahead):
            wholes = order[first : first + ahead].split(size)
            mine = [whole[self._rank :: step] for whole in wholes] if step > 1 else wholes
            yield from reader.batches(wholes, mine)

    def _order(self, epoch: int, lengths: npt.NDArray[np.int64] | None) -> Places:
        """Places of the split's rows in the file, batch after batch, [num_rows]."""
        narrow = self._first + self._num_rows < 2**31
        ends = (self._first, self._first + self._num_rows)
        order: Places = np.arange(*ends, dtype=np.int32) if narrow else np.arange(*ends)
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, epoch])))
        if self._shuffle:
            random.shuffle(order)
        if lengths is not None:
            order = order[_by_length(lengths[order], self._batch_size * _POOL)]
            if self._shuffle:
                order = _shuffled_batches(order, self._batch_size, random)
        return order


def _by_length(lengths: npt.NDArray[np.int64], pool: int) -> npt.NDArray[np.int64]:
    """An order that sorts by length inside of each `pool` rows."""
    return np.lexsort((lengths, np.arange(len(lengths)) // pool))


def _shuffled_batches(order: Places, batch_size: int, random: np.random.Generator) -> Places:
    """Batches in random order, or the model would see all short texts first; a part stays last."""
    num_whole = len(order) // batch_size
    whole = order[: num_whole * batch_size].reshape(num_whole, batch_size)
    return np.concatenate(
        [whole[random.permutation(num_whole)].reshape(-1), order[num_whole * batch_size :]]
    )


class _Reader:
    """Gathers batches from the columns."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self._device = device
        self._rows = column_rows(dataset, "row")
        self._target = column_rows(dataset, "target")
        self._gathers = [gather_for(dataset, record, device) for record in dataset.meta.inputs]
        self._columns = dataset.columns
        starts = next((c.starts for c in self._columns.values() if c.starts is not None), None)
        self.lengths = None if starts is None else np.diff(starts)
        """Tokens of each row of the file; None when there is no text."""

    def batches_ahead(self, batch_size: int) -> int:
        """How many batches are gathered together, before they are asked for."""
        row_bytes: int = sum(
            column.cells.itemsize * column.cells.shape[1]
            for column in self._columns.values()
            if column.starts is None
        )
        return max(1, min(_MOST_AHEAD, _BYTES_AHEAD // (row_bytes * batch_size)))

    def batches(
        self, wholes: Sequence[torch.Tensor], mine: Sequence[torch.Tensor]
    ) -> Iterator[Batch]:
        """The rows `mine` of each of the global batches `wholes`; all are places in the file."""
        inputs = zip(*(gather(wholes, mine) for gather in self._gathers), strict=True)
        targets, rows = take_each(self._target, mine), take_each(self._rows, mine)
        for whole, parts, target, row in zip(wholes, inputs, targets, rows, strict=True):
            if self._device.type != "cpu":
                target, row = to_device(target, self._device), to_device(row, self._device)
            yield Batch(tuple(chain.from_iterable(parts)), target, row, len(whole))
