"""From a short name in a job file to the class it names.

A registry is a plain dict from a name to `"package.module:Object"`, in the `registry.py` of its
room; nothing is imported until a name is asked for. A user's own object is named the same way,
as `file.py:Object` or `package.module:Object`, without touching Trivium.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from trivium.platform.errors import UserError, nearest

_FOLDERS: list[Path] = []
"""Of the job files that were read, the last first."""


def look_in(folder: Path) -> None:
    """Look for relative files of users in `folder` too, after the working directory.

    Called with the folder of a job file before anything that the job names is imported.
    """
    if folder in _FOLDERS:
        _FOLDERS.remove(folder)
    _FOLDERS.insert(0, folder)


def load_text(text: str) -> Any:
    """The object that `"package.module:Object"` or `"path/file.py:Object"` names."""
    module_name, _, attribute = text.partition(":")
    module = _load_file(module_name) if module_name.endswith(".py") else _import(module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        own = [k for k, v in vars(module).items() if inspect.isclass(v) or inspect.isfunction(v)]
        raise UserError(f"{module_name} has no {attribute!r}{nearest(attribute, own)}") from None


def find(name: str, registry: str) -> Any:
    """The object that `name` stands for in `registry` (itself given as text).

    Raises:
        UserError: the name is not registered and is not of the form `file.py:Object`.
    """
    known: Mapping[str, str] = load_text(registry)
    if name in known:
        return load_text(known[name])
    if ":" in name:
        return load_text(name)
    raise UserError(
        f"unknown name {name!r}{nearest(name, known)} "
        f"(known: {', '.join(sorted(known))}; or your own as file.py:Name)"
    )


def settings_type(component: Any) -> Any:
    """The type of a component's `settings` parameter, or None when it takes plain arguments."""
    parameter = inspect.signature(component).parameters.get("settings")
    return None if parameter is None else annotation(component, parameter)


def annotation(component: Any, parameter: inspect.Parameter) -> Any:
    """What the parameter is annotated with; Any when that cannot be found out."""
    if parameter.annotation is parameter.empty:
        return Any
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    module = sys.modules[component.__module__]
    try:  # the other parameters may name types that are imported for type checking only
        return eval(parameter.annotation, vars(module))
    except Exception:
        return Any


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise UserError(f"no module named {error.name!r} can be imported") from None
        raise  # the module exists, something that it imports does not: show which


def _load_file(path: str) -> ModuleType:
    """Import a file by its path; the same file is imported once in a process."""
    own = Path(path).expanduser()
    places = [place.resolve() for place in (own, *(folder / own for folder in _FOLDERS))]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        looked = " and ".join(dict.fromkeys(map(str, places[:2])))
        raise UserError(f"no file {path} (looked for {looked})")
    name = f"{file.stem}_{hashlib.blake2b(str(file).encode(), digest_size=4).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = _line_in(file, error)
        raise UserError(f"{path}{line} fails on import: {type(error).__name__}: {error}") from error
    return module


def _line_in(file: Path, error: Exception) -> str:
    traceback = error.__traceback__
    line = getattr(error, "lineno", None)
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f":{line}" if line else ""
