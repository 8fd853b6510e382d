"""A small network that writes down each training step of its process, to count what is repeated."""

import contextlib
import os
import struct
import time
from pathlib import Path

import torch
from torch import Tensor, nn


class Counting(nn.Module):
    """Two layers; a training step takes at least `pause_s`, so that workers leave each other room.

    Each step appends the time (8 bytes) to `folder/RANK-PID`; `eats_mb` more are kept at each step
    once there is a file `folder/eat`.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        folder: str = "",
        pause_s: float = 0.01,
        eats_mb: int = 0,
    ) -> None:
        super().__init__()
        size = int(torch.tensor(input_shape).prod())
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, output_size)
        )
        self._folder, self._pause_s, self._eats_mb = Path(folder), pause_s, eats_mb
        self._eaten: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """[B, ...] to logits [B, classes]."""
        if self.training:
            self._note()
            time.sleep(self._pause_s)
            if self._eats_mb and self._is_fed():
                self._eaten.append(torch.ones(self._eats_mb * 2**18))
        outputs: Tensor = self.layers(images)
        return outputs

    def _is_fed(self) -> bool:
        """From a file `eat` on, which one worker takes away; all of them by a folder `eat`."""
        food = self._folder / "eat"
        if not self._eaten and not food.is_dir():
            with contextlib.suppress(FileNotFoundError):
                food.unlink()
                return True
            return False
        return True

    def _note(self) -> None:
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        with (self._folder / f"{rank}-{os.getpid()}").open("ab") as file:
            file.write(struct.pack("d", time.time()))
