"""What a diagnosis looks at: everything of a run that its files tell, read once."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trivium.platform.curves import Curve, axis, curve
from trivium.platform.errors import UserError
from trivium.platform.redact import redact
from trivium.platform.remote.bucket import is_uri
from trivium.platform.remote.copies import copy_of
from trivium.platform.run import Record, RunFolder

_LOG_BYTES = 20_000


@dataclass(frozen=True)
class Finding:
    """One thing that is the matter, and the command to type against it."""

    sentence: str
    command: str = ""


@dataclass(frozen=True)
class Evidence:
    """A run as the rules see it."""

    run: RunFolder

    @cached_property
    def status(self) -> str:
        """The run's status; `dead` when its process ended without writing how."""
        recorded = self.run.info.get("status")
        return (
            "dead" if recorded in ("running", "pending") and self.run.is_dead else self.run.status
        )

    @cached_property
    def error(self) -> str:
        """The recorded error, empty when there is none."""
        return str(self.run.info.get("error") or "")

    @cached_property
    def log(self) -> str:
        """The end of log.txt."""
        if not self.run.log.is_file():
            return ""
        with self.run.log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _LOG_BYTES))
            return stream.read().decode("utf-8", errors="replace")

    @cached_property
    def records(self) -> list[Record]:
        """The lines of metrics.jsonl."""
        return self.run.metrics()

    @property
    def is_rl(self) -> bool:
        """Its curves run over environment steps: a falling loss is no goal there."""
        return axis(self.records) == "env_steps"

    @cached_property
    def children(self) -> list["Evidence"]:
        """Evidence of the runs inside this one."""
        return [Evidence(c) for c in self.run.children()]

    def curve(self, name: str) -> Curve:
        """The finite values of one metric; empty when it was never reported."""
        whole = curve(self.records, name)
        known = [(x, y) for x, y in zip(whole.x, whole.y, strict=True) if y is not None]
        return Curve(name, tuple(x for x, _ in known), tuple(y for _, y in known))

    def setting(self, *paths: str) -> tuple[str, Any]:
        """The first of `paths` that the job sets, with its value; ("", None) when it sets none."""
        for path in paths:
            node: Any = self._job
            for part in path.split("."):
                node = node.get(part) if isinstance(node, Mapping) else None
            if node is not None:
                return path, node
        return "", None

    def place(self, x: float) -> str:
        """`epoch 7`, `12,000 environment steps` or `step 300`."""
        over = axis(self.records)
        whole = f"{x:,.0f}" if float(x).is_integer() else f"{x:g}"
        return f"{whole} environment steps" if over == "env_steps" else f"{over} {whole}"

    @property
    def last_place(self) -> str:
        """Where the last report stands, empty when nothing was reported."""
        if not self.records:
            return ""
        last = self.records[-1]
        return self.place(float(last.get(axis(self.records), last["step"])))

    def verb(self, name: str) -> str:
        """`trivium resume digits-cnn-7`, with the store when it is not the usual one."""
        return f"trivium {name} {self.run.id}{self._store}"

    def train_with(self, path: str, value: Any) -> str:
        """The command that trains the same job with one setting changed."""
        job = shlex.quote(str(_short(self.run.path / "job.yaml")))
        return f"trivium train {job} --set {path}={value}{self._store}"

    @property
    def _store(self) -> str:
        parent = self.run.path.parent
        root = parent.parent.parent if parent.name == "children" else parent
        from trivium.platform.store import default_store

        usual = default_store()
        remote = copy_of(self.run.path)
        if remote is not None:
            shown = remote[0].bucket.shown
            return "" if shown == redact(usual) else f" --store {shlex.quote(shown)}"
        if not is_uri(usual) and root.resolve() == Path(usual).resolve():
            return ""
        return f" --store {shlex.quote(str(_short(root)))}"

    @cached_property
    def _job(self) -> Mapping[str, Any]:
        try:
            return self.run.job_file.data
        except UserError:
            return {}


def _short(path: Path) -> Path:
    """Relative to the working directory where that is shorter."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path.resolve()
