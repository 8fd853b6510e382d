"""Import a package without something heavy that it would load only because it is installed."""

import importlib
import sys
from types import ModuleType


def import_without(name: str, absent: str) -> ModuleType:
    """Module `name`, imported as if the package `absent` were not installed.

    For packages that do without it; when it is loaded already, nothing is gained or hidden. The
    package must not be imported by another thread meanwhile.
    """
    if name in sys.modules or absent in sys.modules:
        return importlib.import_module(name)
    sys.modules[absent] = None  # type: ignore[assignment]  # Python's way to say: not here
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[absent]
