"""Where this machine keeps what can be made or fetched again."""

import os
from pathlib import Path


def cache_root() -> Path:
    """`$TRIVIUM_CACHE`, else `$XDG_CACHE_HOME/trivium`, else `~/.cache/trivium`."""
    if own := os.environ.get("TRIVIUM_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "trivium"
