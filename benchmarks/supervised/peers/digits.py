"""The data set that people write around files in MNIST's format: one row at a time.

What torchvision's MNIST, ToTensor and Normalize do, without its detour over PIL images, which
would make the peers slower than they need to be.
"""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset


class Digits(Dataset):
    """`dataset[i]` is an image, float32 [1, 28, 28] of mean 0 and deviation 1, and its class."""

    def __init__(self, folder: Path) -> None:
        images = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8, offset=16)
        self.images = torch.from_numpy(images.reshape(-1, 1, 28, 28))
        labels = np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8, offset=8)
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.images[index].float() / 255
        return (image - 0.1307) / 0.3081, self.labels[index]
