"""A Ray cluster as its head answers over HTTP: its jobs, nodes and autoscaler; joins nothing."""

import contextlib
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from trivium.platform.cluster.token import (
    Token,
    ask_token,
    find_token,
    missing_token,
    wrong_token,
)
from trivium.platform.errors import RunFailed, UserError

TIMEOUT_S = 30
ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Where Ray's own job commands look for an address; theirs would win over what was typed."""


class Unreachable(RunFailed):
    """Nobody answers at the address, now; a head that restarts comes back."""


class Cluster:
    """The job server and dashboard of one cluster.

    Making one asks the head for its version, so that a wrong address or token is told at once.

    Raises:
        UserError: no Ray answers at the address, or it wants another token.
    """

    def __init__(self, address: str, token: Token | None = None) -> None:
        self.address = address.rstrip("/")
        self.token = token or _warm_token(self.address) or find_token()
        try:
            self.version = str(self._first_answer()["ray_version"])
        except (Unreachable, KeyError, ValueError):
            raise UserError(
                f"no Ray job server answers at {self.address}; it is the dashboard's address, "
                f"such as http://HEAD:8265 (on the head: ray start --head --dashboard-host=...)"
            ) from None

    def get(self, path: str) -> Any:
        """The JSON at `path`, as in `/api/cluster_status`.

        Raises:
            Unreachable: no answer.
            RunFailed: an answer that says no.
            UserError: the token is missing or wrong.
        """
        import requests

        headers = self.token.headers if self.token else {}
        try:
            answer = requests.get(self.address + path, headers=headers, timeout=TIMEOUT_S)
        except requests.exceptions.RequestException as error:
            reason = type(error).__name__
            raise Unreachable(f"{self.address} does not answer ({reason})") from None
        if answer.status_code == 401:
            raise missing_token(self.address)
        if answer.status_code == 403:
            raise wrong_token(self.address, self.token)
        if answer.status_code >= 500:
            raise Unreachable(f"{self.address} answers {answer.status_code}")
        if answer.status_code != 200:
            raise RunFailed(f"{self.address}{path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    @cached_property
    def jobs(self) -> Any:
        """Ray's `JobSubmissionClient`, at this address and with this token."""
        import logging

        from ray.job_submission import JobSubmissionClient

        for name in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env"):
            logging.getLogger(name).setLevel(logging.ERROR)  # "Uploading package gcs://..."
        with _without(ADDRESS_VARIABLES):
            return JobSubmissionClient(
                self.address, headers=self.token.headers if self.token else None
            )

    def job(self, job_id: str) -> dict[str, Any]:
        """What the head knows of a job: status, message, times, metadata.

        Raises:
            UserError: it knows no such job.
        """
        try:
            info: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
        except Unreachable:
            raise
        except RunFailed as error:
            if ": 404" not in str(error):
                raise
            raise UserError(
                f"{self.address} knows no job {job_id}: a head forgets its jobs when it restarts; "
                f"their runs are in the store (`trivium runs`), `trivium jobs` lists what it knows"
            ) from None
        return info

    def _first_answer(self) -> dict[str, Any]:
        try:
            version: dict[str, Any] = self.get("/api/version")
        except UserError:
            if self.token is not None:
                raise
            self.token = ask_token(self.address)
            if self.token is None:
                raise
            version = self.get("/api/version")
        return version


def _warm_token(address: str) -> Token | None:
    """The token of this folder's own cluster, when the address is that."""
    from trivium.platform.cluster.warm import find_warm

    warm = find_warm()
    if warm is None or warm.dashboard != address:
        return None
    return find_token({"RAY_AUTH_TOKEN_PATH": str(warm.token_file)})


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """The environment without these variables, for the time of the block."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
