"""From what `dataset.source` says to the source that it means."""

import re
from pathlib import Path

from trivium.datasets.registry import SOURCES
from trivium.datasets.source import Source
from trivium.platform.errors import UserError, nearest
from trivium.platform.registry import load_text

_FUNCTION = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


def find_source(source: str | tuple[str, ...], base: Path | None = None) -> Source:
    """A registered source, files, a folder of idx files, or a function of the user's.

    Relative paths are looked for in the working directory, then in `base`, the folder of the job
    file.

    Raises:
        UserError: nothing of that name or path exists.
    """
    names = (source,) if isinstance(source, str) else source
    folders = [Path(), *([base] if base is not None else [])]
    if len(names) == 1:
        name = names[0]
        if name in SOURCES:
            return _call(SOURCES[name])
        if (match := _FUNCTION.fullmatch(name)) is not None:
            return _user_function(name, match, folders)
    for name in names:
        _check_path(name, folders)
    return _files(names, folders)


def _call(text: str) -> Source:
    source: Source = load_text(text)()
    return source


def _user_function(name: str, match: re.Match[str], folders: list[Path]) -> Source:
    from trivium.datasets.sources.user_function import FunctionSource

    module = match["module"]
    if module.endswith(".py"):
        places = [folder / module for folder in folders]
        module = str(next((place for place in places if place.is_file()), module))
    try:
        function = load_text(f"{module}:{match['name']}")
    except UserError as error:
        raise error.under("dataset.source") from None
    if not callable(function):
        raise UserError.at("dataset.source", f"{name} is {function!r}, not a function")
    return FunctionSource(name, function)


def _files(names: tuple[str, ...], folders: list[Path]) -> Source:
    from trivium.datasets.sources.files import FileSource, find_files
    from trivium.datasets.sources.idx_folder import idx_folder, is_idx_folder

    if len(names) == 1:
        for folder in folders:
            place = folder / Path(names[0]).expanduser()
            if place.is_dir() and is_idx_folder(place):
                return idx_folder(place, names[0])
    return FileSource(", ".join(names), find_files(names, folders))


def _check_path(name: str, folders: list[Path]) -> None:
    """Tell a misspelled name and a place that is not a file system from a missing file."""
    if "://" in name:
        raise UserError.at(
            "dataset.source",
            f"{name} is not on this machine's file system, and other places cannot be read; "
            "copy or mount it and write its path",
        )
    if re.fullmatch(r"[\w-]+", name) and not any((folder / name).exists() for folder in folders):
        raise UserError.at(
            "dataset.source",
            f"unknown source {name!r}{nearest(name, SOURCES)} "
            f"(known: {', '.join(sorted(SOURCES))}; or a path, or your own as file.py:function)",
        )
