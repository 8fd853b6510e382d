"""Batches gathered by index from the mapped columns.

No row becomes a Python object: a batch is one gather for each column, a few microseconds, and
then one step on the numbers. Half of a Python call per row would cost more than the gather.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from trivium.datasets.batch import Batch
from trivium.datasets.dataset import Dataset
from trivium.datasets.gather import column_rows, gather_for, to_device

Places = npt.NDArray[np.int32] | npt.NDArray[np.int64]

_POOL = 50  # batches whose texts are sorted by length together


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
        step = self._world_size
        for first in range(start * self._batch_size, self._num_rows, self._batch_size):
            whole = order[first : first + self._batch_size]
            yield reader.batch(whole, whole[self._rank :: step] if step > 1 else whole)

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
        starts = next((c.starts for c in dataset.columns.values() if c.starts is not None), None)
        self.lengths = None if starts is None else np.diff(starts)
        """Tokens of each row of the file; None when there is no text."""

    def batch(self, whole: torch.Tensor, mine: torch.Tensor) -> Batch:
        """The rows `mine` of the global batch `whole`; both are places in the file."""
        inputs: list[torch.Tensor] = []
        for gather in self._gathers:
            inputs.extend(gather(whole, mine))
        target, rows = self._target.take(mine)[:, 0], self._rows.take(mine)[:, 0]
        if self._device.type != "cpu":
            target, rows = to_device(target, self._device), to_device(rows, self._device)
        return Batch(tuple(inputs), target, rows, len(whole))
