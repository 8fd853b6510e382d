"""A store that is reached by URI (`s3://`, `gs://`, any `pyarrow.fs`): list, get, put, delete.

Object stores have no rename and no folders; what is written here becomes visible whole when its
upload ends. On file systems that have folders (HDFS) a file is written aside and moved.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from trivium.platform.errors import RunFailed, TriviumError
from trivium.platform.redact import redact

T = TypeVar("T")
U = TypeVar("U")

CONNECT_S = 5.0
ANSWER_S = 20.0
"""How long the store may take to answer before a request counts as failed."""
_THREADS = 16
_OBJECT_STORES = ("s3", "gcs", "abfs")
_NAMES = ".names"


_GONE = ("RESOURCE_NOT_FOUND", "NO_SUCH_KEY")
"""What S3 says of an object that is not there, in the words of Arrow."""


class StoreError(TriviumError):
    """The store is named wrongly or refuses: the user's to mend, but no mistake of a job file."""

    exit_code = 2


@dataclass(frozen=True)
class Stat:
    """What a listing tells of a file."""

    mtime_ns: int
    num_bytes: int


def is_uri(text: str) -> bool:
    """Whether a store is named by a URI rather than by a folder."""
    return "://" in text


class Bucket:
    """The store at a URI; keys are relative to it.

    Methods raise OSError as pyarrow does; `explain` turns that into what a user is told.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        if ".." in unquote(parts.path).split("/"):
            raise StoreError(f"store {redact(uri)}: must not contain '..'")
        if not parts.netloc and parts.scheme != "file":
            raise StoreError(f"store {redact(uri)}: names no bucket, as in s3://bucket/path")
        self._uri = uri
        self.shown = redact(uri)
        """The URI without keys and passwords."""

    @property
    def uri(self) -> str:
        """The URI with all that is in it: for workers, never for files or the screen."""
        return self._uri

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        from pyarrow import ArrowInvalid
        from pyarrow.fs import FileSystem

        parts = urlsplit(self._uri)
        try:
            if parts.scheme == "s3":
                return _s3(parts), f"{parts.netloc.rpartition('@')[2]}{unquote(parts.path)}".rstrip(
                    "/"
                )
            files, base = FileSystem.from_uri(self._uri)
        except (ArrowInvalid, ValueError) as error:
            raise StoreError(f"store {self.shown}: {redact(str(error))}") from None
        return files, base.rstrip("/")

    def names(self) -> list[str]:
        """Names of the folders at the top."""
        from pyarrow.fs import FileSelector, FileType

        if self._lists_no_folders:
            return list(self.files(_NAMES))
        files, base = self._opened
        found = files.get_file_info(FileSelector(base, allow_not_found=True))
        return [i.base_name for i in found if i.type == FileType.Directory]

    def announce(self, name: str) -> None:
        """Have `names` list the folder `name`, in which there will be files."""
        if self._lists_no_folders:
            self.put(f"{_NAMES}/{name}", b"1")

    @property
    def _lists_no_folders(self) -> bool:
        """Arrow knows no folder of Google's store by what is in it, so their names are kept."""
        return bool(self._opened[0].type_name == "gcs")

    def files(self, prefix: str) -> dict[str, Stat]:
        """All files under the folder `prefix`, by their path below it."""
        from pyarrow.fs import FileSelector, FileType

        files, base = self._opened
        root = f"{base}/{prefix}".rstrip("/")
        found = files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        return {
            i.path[len(root) + 1 :]: Stat(i.mtime_ns or 0, i.size)
            for i in found
            if i.type == FileType.File and len(i.path) > len(root) and not i.path.endswith("/")
        }

    def stats(self, keys: Iterable[str]) -> dict[str, Stat]:
        """Of those `keys` that exist."""
        from pyarrow.fs import FileType

        files, base = self._opened
        asked = list(keys)
        found = files.get_file_info([f"{base}/{k}" for k in asked])
        return {
            key: Stat(i.mtime_ns or 0, i.size)
            for key, i in zip(asked, found, strict=True)
            if i.type == FileType.File
        }

    def get(self, key: str) -> bytes | None:
        """The content of a small file, None when there is none."""
        files, base = self._opened
        try:
            with files.open_input_stream(f"{base}/{key}") as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            if any(word in str(error) for word in _GONE):  # deleted after it was opened
                return None
            raise
        return content

    def download(self, key: str, file: Path) -> None:
        """Write the file `key` to `file`, whole or not at all."""
        files, base = self._opened
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        with files.open_input_stream(f"{base}/{key}") as source, temporary.open("wb") as target:
            while block := source.read(1 << 20):
                target.write(block)
        temporary.replace(file)

    def put(self, key: str, content: bytes) -> None:
        """Write a small file."""
        self._write(key, lambda target: target.write(content))

    def upload(self, file: Path, key: str) -> None:
        """Write `file`, as it is at this moment, to `key`."""
        with file.open("rb") as source:
            left = os.fstat(source.fileno()).st_size  # what is appended meanwhile comes next time

            def copy(target: Any) -> None:
                nonlocal left
                while left and (block := source.read(min(left, 1 << 20))):
                    target.write(block)
                    left -= len(block)

            self._write(key, copy)

    def delete(self, key: str) -> None:
        """Remove a file; it need not exist."""
        files, base = self._opened
        with contextlib.suppress(FileNotFoundError):
            files.delete_file(f"{base}/{key}")

    def delete_folder(self, prefix: str) -> None:
        """Remove all files under `prefix`."""
        files, base = self._opened
        with contextlib.suppress(FileNotFoundError):
            files.delete_dir(f"{base}/{prefix}")

    def each(self, function: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
        """`function` of every item, several at once, in order."""
        return self._pool.map(function, items)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    def _write(self, key: str, fill: Callable[[Any], object]) -> None:
        files, base = self._opened
        path = f"{base}/{key}"
        if files.type_name in _OBJECT_STORES:
            with files.open_output_stream(path) as target:
                fill(target)
            return
        files.create_dir(path.rpartition("/")[0], recursive=True)
        with files.open_output_stream(f"{path}.part") as target:
            fill(target)
        files.move(f"{path}.part", path)


def explain(error: OSError, bucket: Bucket) -> TriviumError:
    """What a user is told of an error of the store."""
    text = redact(str(error)).partition(" (Request ID")[0]
    if "NO_SUCH_BUCKET" in text or "NoSuchBucket" in text:
        return StoreError(
            f"store {bucket.shown}: there is no such bucket; make it, or mend the name"
        )
    if _is_refusal(text):
        return StoreError(
            f"store {bucket.shown}: access is denied ({_short(text)}). Give credentials in the "
            "environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, "
            "GOOGLE_APPLICATION_CREDENTIALS) or a role to the machine; they must allow to list, "
            "read, write and delete there"
        )
    return RunFailed(f"store {bucket.shown}: does not answer as it should ({_short(text)})")


def reason(error: OSError) -> str:
    """The error in a few words."""
    return _short(redact(str(error)).partition(" (Request ID")[0])


def _is_refusal(text: str) -> bool:
    marks = (
        "ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "EXPIRED_TOKEN",
        "INVALID_CLIENT_TOKEN_ID", "MISSING_AUTHENTICATION_TOKEN", "UNRECOGNIZED_CLIENT",
        "HTTP status 401", "HTTP status 403", "PERMISSION_DENIED", "UNAUTHENTICATED",
    )  # fmt: skip
    return any(m in text for m in marks)


def _short(text: str) -> str:
    """`AWS Error NETWORK_CONNECTION ...` without the key and the operation around it."""
    _, found, rest = text.partition("AWS Error ")
    said = rest if found else text
    return said.partition(";")[0].partition("\n")[0][:200].rstrip(". ")


def _s3(parts: Any) -> Any:
    """S3 with patience of our own: a request that hangs must not hang a run's end for minutes."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    known = {"region", "scheme", "endpoint_override", "anonymous"}
    if set(query) - known:
        name = min(set(query) - known)
        said = ", ".join(sorted(known))
        raise ValueError(f"{name} is no parameter of an S3 store (these are: {said})")
    options: dict[str, Any] = {k: v for k, v in query.items() if k != "anonymous"}
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    usual = next((os.environ[v] for v in variables if os.environ.get(v)), "")
    endpoint = options.setdefault("endpoint_override", usual)
    if "://" in endpoint:
        options["scheme"], _, options["endpoint_override"] = endpoint.rstrip("/").partition("://")
    named = {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(os.environ)
    if not endpoint and "region" not in options and not named:
        options["region"] = resolve_s3_region(parts.netloc.rpartition("@")[2])
    if parts.username:
        options["access_key"] = unquote(parts.username)
        options["secret_key"] = unquote(parts.password or "")
    return S3FileSystem(
        **options,
        anonymous=query.get("anonymous", "false") == "true",
        allow_delayed_open=True,  # a small file is one request instead of three
        connect_timeout=CONNECT_S,
        request_timeout=ANSWER_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3),
    )
