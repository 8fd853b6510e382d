"""What knows of a run while its workers come and go."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Witness:
    """What the controller is told of a run, for it sees neither checkpoints nor a terminal."""

    saved_step: Callable[[], int] = lambda: 0
    """The step of the last checkpoint."""
    notes: Path | None = None
    """A file of the run where each new beginning is noted, for the driver to say."""

    def note(self, text: str) -> None:
        """Add a line; a full disk must not end what it was to tell of."""
        if self.notes is not None:
            with contextlib.suppress(OSError):
                self.notes.parent.mkdir(parents=True, exist_ok=True)
                with self.notes.open("a", encoding="utf-8") as file:
                    file.write(text.replace("\n", " ") + "\n")


NO_WITNESS = Witness()
"""Of what makes no checkpoints."""
