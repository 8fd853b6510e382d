"""CartPole that writes down each environment step of its process, as counting.py does."""

import os
import struct
import time
from pathlib import Path
from typing import Any

from gymnasium.envs.classic_control.cartpole import CartPoleEnv


class CountedCartPole(CartPoleEnv):
    """Each step appends the time (8 bytes) to `folder/0-PID`."""

    def __init__(self, folder: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._file = Path(folder) / f"0-{os.getpid()}"

    def step(self, action: Any) -> Any:
        """See CartPole."""
        with self._file.open("ab") as file:
            file.write(struct.pack("d", time.time()))
        return super().step(action)
