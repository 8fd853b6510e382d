"""What of a folder goes to a cluster: all but secrets, what is made anew, and ignored files.

The list that is shown is the list that is packed: Ray gets a zip of exactly these files. A file
that the job names goes along even when `.gitignore` leaves it out; a secret never does.
"""

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.platform.errors import UserError

SECRETS: Mapping[str, Sequence[str]] = {
    ".env": (".env", ".env.*", "*.env", ".envrc"),
    "keys": (
        *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.kdbx", "*.ppk", "*.asc", "*.gpg"),
        *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
        *(".ssh/", ".gnupg/"),
    ),
    "credentials": (
        *("credentials", "credentials.*", "*credentials*.json", "*service*account*.json"),
        *("client_secret*.json", "secrets.*", "*.secret", "auth_token", "*.token"),
        *(".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd"),
        *(".aws/", ".azure/", ".kube/", ".docker/", ".config/gcloud/", ".boto", ".s3cfg"),
    ),
}
"""What is left out because it opens doors, as patterns of .gitignore."""
MADE_ANEW: Sequence[str] = (
    *(".git/", ".hg/", ".svn/", ".venv/", "venv/", "node_modules/", "__pycache__/", "*.pyc"),
    *(".mypy_cache/", ".ruff_cache/", ".pytest_cache/", ".ipynb_checkpoints/", ".tox/", ".nox/"),
    ".trivium/",
)
"""What a cluster has no use for."""
IGNORE_FILES = (".gitignore", ".rayignore")
LIMIT_BYTES = 500 * 2**20
"""Ray keeps an upload in the head's memory and refuses more than this."""
KEY_HEAD = b"-----BEGIN "


@dataclass(frozen=True)
class Upload:
    """The files of `folder` that go to the cluster, and why the others do not."""

    folder: Path
    files: Mapping[str, int]
    """Path inside the folder -> bytes."""
    left_out: Mapping[str, str]
    """Path inside the folder (of a whole folder with a / at its end) -> reason."""

    @property
    def num_bytes(self) -> int:
        """Bytes before compression."""
        return sum(self.files.values())

    def largest(self, count: int = 3) -> list[tuple[str, int]]:
        """The largest files, largest first."""
        return sorted(self.files.items(), key=lambda item: -item[1])[:count]

    def facts(self) -> list[tuple[str, str]]:
        """Lines for the screen."""
        largest = ", ".join(f"{name} {size_text(size)}" for name, size in self.largest())
        count = f"{len(self.files)} file{'s' if len(self.files) != 1 else ''}"
        rows = [
            ("upload", f"{self.folder}: {count}, {size_text(self.num_bytes)}"),
            ("largest", largest or "nothing"),
        ]
        by_reason: dict[str, list[str]] = {}
        for path, reason in self.left_out.items():
            by_reason.setdefault(reason, []).append(path)
        for reason, paths in by_reason.items():
            more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
            rows.append(("left out", f"{', '.join(sorted(paths)[:4])}{more} ({reason})"))
        return rows

    def check(self) -> None:
        """Refuse what the cluster would refuse after minutes of uploading.

        Raises:
            UserError: with the size and the largest files.
        """
        if self.num_bytes <= LIMIT_BYTES:
            return
        largest = ", ".join(f"{name} {size_text(size)}" for name, size in self.largest(5))
        raise UserError(
            f"{self.folder}: {size_text(self.num_bytes)} to upload, Ray takes at most "
            f"{size_text(LIMIT_BYTES)}; largest: {largest}. Name what is not needed in "
            f"{self.folder / '.rayignore'}, and keep data on a shared disk or s3://"
        )

    def pack(self, file: Path) -> None:
        """Write the zip; the same files give the same bytes, so nothing unchanged is sent twice."""
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(self.files):
                entry = zipfile.ZipInfo(name)
                path = self.folder / name
                entry.external_attr = (path.stat().st_mode & 0o777) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())


def plan_upload(folder: Path, named: Iterable[Path] = (), stores: Iterable[Path] = ()) -> Upload:
    """Look through `folder`.

    Args:
        folder: becomes the working directory of the job.
        named: files or folders that the job names: they go along though ignored.
        stores: folders of runs, which stay here.

    Raises:
        UserError: the job names a file that is a secret.
    """
    walk = _Walk(folder.resolve(), [p.resolve() for p in named], [p.resolve() for p in stores])
    walk.look(walk.folder, [])
    return Upload(walk.folder, walk.files, walk.left_out)


def size_text(num_bytes: float) -> str:
    """`1.2 MB`, in powers of 1,000."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


class _Walk:
    def __init__(self, folder: Path, named: Sequence[Path], stores: Sequence[Path]) -> None:
        self.folder, self._named, self._stores = folder, named, stores
        self.files: dict[str, int] = {}
        self.left_out: dict[str, str] = {}
        self._secrets = [(_spec(patterns), reason) for reason, patterns in SECRETS.items()]
        self._made_anew = _spec(MADE_ANEW)

    def look(self, folder: Path, ignores: list[tuple[Path, Any, str]]) -> None:
        ignores = [*ignores, *_ignores_of(folder)]
        for entry in _entries(folder):
            path = folder / entry.name
            name = str(path.relative_to(self.folder))
            is_folder = entry.is_dir()
            shown = f"{name}/" if is_folder else name
            reason = self._reason(path, shown, ignores)
            if reason is not None:
                self.left_out[shown] = reason
            elif is_folder:
                self.look(path, ignores)
            elif entry.is_file():
                self.files[name] = entry.stat().st_size

    def _reason(
        self, path: Path, shown: str, ignores: Sequence[tuple[Path, Any, str]]
    ) -> str | None:
        """Why this is left out; None: it goes."""
        for spec, reason in self._secrets:
            if spec.match_file(shown) and not shown.endswith(".py"):
                return self._secret(path, f"secret: {reason}")
        if _holds_private_key(path):
            return self._secret(path, "secret: a private key")
        if path.is_symlink() and path.is_dir() and self.folder.is_relative_to(path.resolve()):
            return "a link to a folder above it"
        if path.resolve() in self._stores or next(path.glob("*-*/run.json"), None):
            return "a store of runs"
        if self._made_anew.match_file(shown):
            return "of no use there"
        if self._is_named(path):
            return None
        for where, spec, origin in ignores:
            if spec.match_file(str(path.relative_to(where)) + ("/" if shown.endswith("/") else "")):
                return origin
        return None

    def _secret(self, path: Path, reason: str) -> str:
        if path.resolve() in self._named:
            raise UserError(
                f"{path}: the job names it, but it looks like a secret ({reason}), and those are "
                f"not uploaded; rename it if it is none"
            )
        return reason

    def _is_named(self, path: Path) -> bool:
        """The job names it, or something in it, or the folder that it is in."""
        path = path.resolve()
        return any(n.is_relative_to(path) or path.is_relative_to(n) for n in self._named)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read for the upload: {error.strerror}") from None


def _ignores_of(folder: Path) -> list[tuple[Path, Any, str]]:
    found = []
    for name in IGNORE_FILES:
        file = folder / name
        if file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            found.append((folder, _spec(lines), name))
    return found


def _holds_private_key(path: Path) -> bool:
    """Keys have many names, but one first line."""
    try:
        if not path.is_file() or path.stat().st_size > 100_000 or path.suffix == ".py":
            return False
        with path.open("rb") as stream:
            head = stream.read(64)
    except OSError:
        return False
    return head.startswith(KEY_HEAD) and b"PRIVATE KEY" in head


def _spec(patterns: Iterable[str]) -> Any:
    try:
        from pathspec import GitIgnoreSpec
    except ModuleNotFoundError:
        raise UserError(
            "submit needs pathspec, which is not installed; pip install 'trivium[cluster]'"
        ) from None
    return GitIgnoreSpec.from_lines(patterns)
