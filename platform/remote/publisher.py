"""Publishes a run's working copy while the run goes on, from a thread of its own.

Training never waits for the store. A store that does not answer is tried again until it does;
meanwhile all stays here. When the run ends, `close` sends what is left.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trivium.platform.remote.bucket import explain
from trivium.platform.remote.working_copy import WorkingCopy

ALIVE = "alive"
"""Its time says when the writer of the run was last there; it goes away when the run ends."""
WRITER = "writer.json"
"""Whose turn it is to write the run: `token`, and `after`, the token of the turn before."""
INTERVAL_S = 1.0
BEAT_S = 10.0
LONGEST_PAUSE_S = 15.0
PATIENCE_S = 30.0
"""How long the end of a run waits for a store that does not answer."""


class Publisher:
    """One thread for one run (or for a child of it, in a process on another machine)."""

    def __init__(
        self,
        copy: WorkingCopy,
        under: str,
        token: str,
        say: Callable[[str], None],
    ) -> None:
        self._copy, self._under, self._token, self._say = copy, under, token, say
        self._watched: set[str] = set()
        self._closing = threading.Event()
        self._now = threading.Lock()
        self._num_failures = 0
        self._last_beat = 0.0
        self.is_lost = False
        """The run went on elsewhere; nothing is published any more."""
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin; the first files are sent at once."""
        self._thread.start()

    def watch(self, name: str) -> None:
        """Bring the file `name` from now on, which another machine writes."""
        self._watched.add(name)

    def close(self) -> OSError | None:
        """Send what is left; what kept it from being sent, when it could not be."""
        self._closing.set()
        self._thread.join()
        self._alive.unlink(missing_ok=True)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                if not self.is_lost and self._is_our_turn():
                    self._copy.publish(self._under)
                return None
            except OSError as error:
                self._failed(error)
                if time.monotonic() > until:
                    return error
                time.sleep(1.0)

    def send_now(self) -> None:
        """One round in the calling thread, for others to read; a failure is left to later ones."""
        self._round(is_final=True)

    @property
    def _alive(self) -> Path:
        return self._copy.folder / self._under / ALIVE

    def _work(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause):
            self._round(is_final=False)
            # A large sweep takes long to look through: at most a tenth of the time.
            pause = max(INTERVAL_S, 10.0 * self._copy.look_s)
            if self._num_failures:
                pause = 2.0 ** (self._num_failures - 1)
            pause = min(pause, LONGEST_PAUSE_S)

    def _round(self, is_final: bool) -> None:
        with self._now:
            if self.is_lost:
                return
            try:
                if not self._beat():
                    return
                self._copy.publish(self._under, is_final=is_final)
                self._copy.pull(f"{self._under}/{w}".lstrip("/") for w in self._watched)
            except OSError as error:
                self._failed(error)
                return
            if self._num_failures:
                self._num_failures = 0
                self._say(f"the store {self._copy.bucket.shown} answers again; all is published")

    def _beat(self) -> bool:
        """Now and then, and after each failure: show that the writer lives; whether it is we."""
        if not self._num_failures and time.monotonic() - self._last_beat < BEAT_S:
            return True
        self._alive.parent.mkdir(parents=True, exist_ok=True)
        self._alive.write_text(f"{time.time():.0f}\n")
        self._last_beat = time.monotonic()
        return self._is_our_turn()

    def _is_our_turn(self) -> bool:
        theirs = writer_of(self._copy)
        ours = (self._token, writer_here(self._copy).get("after"))
        self.is_lost = bool(theirs) and theirs.get("token") not in ours
        if self.is_lost:
            self._say(
                f"{self._copy.folder.name} went on elsewhere ({theirs.get('host')}, since "
                f"{theirs.get('since')}): nothing of this process is published any more"
            )
        return not self.is_lost

    def _failed(self, error: OSError) -> None:
        self._num_failures += 1
        if self._num_failures == 1:
            self._say(
                f"warning: {explain(error, self._copy.bucket)}. Training goes on; all of it is "
                f"kept in {self._copy.folder} and published when the store answers"
            )


def writer_here(copy: WorkingCopy) -> dict[str, str]:
    """Whose turn it is, as this machine knows."""
    try:
        found: dict[str, str] = json.loads((copy.folder / WRITER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def writer_of(copy: WorkingCopy) -> dict[str, str]:
    """Whose turn it is, as the store knows."""
    content = copy.bucket.get(f"{copy.folder.name}/{WRITER}")
    try:
        found: dict[str, str] = json.loads(content) if content else {}
    except ValueError:
        return {}
    return found
