"""A training worker on a machine that does not see the driver's files: `python worker.py TICKET`.

It reports, saves, prints, and ends when it is told to stop, as rank 0 of a distributed job does.
"""

import json
import sys
import time
from pathlib import Path

from trivium.platform.logs import printing_to
from trivium.platform.remote.travel import visiting
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter


def main() -> None:
    """Train a while."""
    with visiting(json.loads(sys.argv[1])) as path, printing_to(path / "workers" / "0.txt"):
        writer = RunWriter(RunFolder(path))
        resumed = writer.resume()
        step = resumed.step if resumed else 0
        print(f"begins at step {step} in {path}", flush=True)
        while not writer.stop:
            step += 1
            writer.report(step, {"train/loss": 1.0 / step})
            content = f"weights of {step}"

            def fill(folder: Path, content: str = content) -> None:
                (folder / "weights").write_text(content)

            writer.save_checkpoint(step, fill)
            time.sleep(0.05)
        writer.close()


if __name__ == "__main__":
    main()
