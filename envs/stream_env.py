"""The scalar half of our environments: seeds, episodes and their random words."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from trivium.envs.random_streams import episode_keys, reset_words, step_words, stream_keys

_BLOCK = 64  # steps whose words are drawn in one call
_BLOCK_STEPS = np.arange(_BLOCK, dtype=np.uint64)


class StreamEnv(gymnasium.Env[Any, Any]):  # type: ignore[misc]  # gymnasium counts as untyped
    """A Gymnasium environment whose randomness is a function of (seed, episode, step).

    A subclass sets `num_reset_words` and `num_step_words`, and has `_start(words)`, which makes the
    starting state of an episode, and `_observe()`. Its `step` calls `_draw()` once.
    """

    num_reset_words = 0
    num_step_words = 0

    def __init__(self, render_mode: str | None) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r}: must be None or 'rgb_array'")
        self.render_mode = render_mode
        self._stream = np.zeros(0, dtype=np.uint64)
        self._episode = 0
        self._elapsed = 0
        self._block: list[list[int]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode: the first one of `seed`, else the next one of the stream at hand."""
        super().reset(seed=seed)
        if seed is not None or not self._stream.size:
            first = int(self.np_random.integers(1 << 63)) if seed is None else seed
            self._stream = stream_keys([first])
            self._episode = 0
        else:
            self._episode += 1
        self._key = episode_keys(self._stream, np.array([self._episode], dtype=np.uint64))
        self._elapsed = 0
        self._start(reset_words(self._key, self.num_reset_words)[:, 0].tolist())
        return self._observe(), {}

    def _draw(self) -> list[int]:
        """Count a step; its words, fresh numbers in [0, 65536)."""
        position = self._elapsed % _BLOCK
        if position == 0:
            steps = _BLOCK_STEPS + np.uint64(self._elapsed)
            self._block = step_words(self._key, steps, self.num_step_words).T.tolist()
        self._elapsed += 1
        return self._block[position]

    def _start(self, words: list[int]) -> None:
        raise NotImplementedError

    def _observe(self) -> Any:
        raise NotImplementedError

    def render(self) -> Any:
        """A picture of the state, uint8 `[height, width, 3]`; None without a render mode."""
        return self._picture() if self.render_mode == "rgb_array" else None

    def _picture(self) -> npt.NDArray[np.uint8]:
        raise NotImplementedError
