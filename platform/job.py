"""The job: one checked, frozen object from one YAML file.

The sections that every job has are here; an algorithm's job type adds its own (a data set or an
environment, a model), so the floor knows no room. `read_job` reports every mistake at once, each
with its line.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from trivium.platform.errors import Mistake, UserError, nearest
from trivium.platform.flatten import flatten
from trivium.platform.redact import has_password
from trivium.platform.registry import find, load_text, look_in
from trivium.platform.settings import Settings, dump, refusal, section, validate

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

ALGORITHMS = "trivium.trainers.registry:ALGORITHMS"
NAME = re.compile(r"\w[\w.-]{0,63}")  # letters and digits of any script


class WorkerRange(Settings):
    """A number of workers that follows the cluster: fewer when a node goes, more when one comes."""

    min: int = Field(1, ge=1, le=10_000)
    """Training waits while the cluster has room for fewer than this."""
    max: int = Field(ge=1, le=10_000)
    """No more than this; an autoscaler is asked for so many."""
    resize_interval_s: float = Field(60.0, ge=1)
    """Seconds between two looks whether more would fit; each growth begins the workers anew."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.max < self.min:
            message = f"must be at least min, which is {self.min}; got {self.max}"
            raise refusal(Mistake("max", message))
        return self


def _read_workers(value: Any) -> Any:
    """A number or a range, so that a mistake in a range has its own place."""
    if isinstance(value, Mapping):
        try:
            return validate(WorkerRange, value)
        except UserError as error:
            raise refusal(*error.mistakes) from None
    if isinstance(value, WorkerRange) or (type(value) is int and 1 <= value <= 10_000):
        return value
    known = "a whole number from 1 to 10,000, or a range such as {min: 1, max: 4}"
    raise ValueError(f"must be {known}; got {value!r}")


class Resources(Settings):
    """What the job may use, on one machine or on a cluster."""

    num_workers: Annotated[
        Annotated[int, Field(ge=1, le=10_000)] | WorkerRange, BeforeValidator(_read_workers)
    ] = 1
    """Data-parallel training workers; one runs in this process, without a cluster.
    {min: 1, max: 4} takes as many as a cluster has room for, and follows it as nodes go and come;
    the rows of a batch stay the job's. On one machine it is a worker for each core or GPU."""
    cpus_per_worker: float | None = Field(None, gt=0)
    """CPUs that each worker reserves; None shares the machine's cores evenly."""
    threads_per_worker: int | None = Field(None, ge=1, le=1024)
    """Threads that torch computes with; None is as many as the work of a step is worth."""
    gpus_per_worker: float | Literal["auto"] = "auto"
    """GPUs that each worker reserves; auto is 1 when the machine has a GPU, else 0."""
    num_env_runners: int = Field(0, ge=0, le=10_000)
    """Ray actors that step environments; 0 steps them in this process."""
    num_learners: int = Field(0, ge=0, le=1_000)
    """Ray actors that average gradients over shares of a batch; 0 learns in this process."""

    @property
    def fewest_workers(self) -> int:
        """Training needs room for so many."""
        return self.num_workers if isinstance(self.num_workers, int) else self.num_workers.min

    @property
    def most_workers(self) -> int:
        """There are never more."""
        return self.num_workers if isinstance(self.num_workers, int) else self.num_workers.max

    @property
    def worker_count(self) -> str:
        """`4`, `1 to 4`."""
        fewest, most = self.fewest_workers, self.most_workers
        return f"{most}" if fewest == most else f"{fewest} to {most}"


class Tracking(Settings):
    """Where a run is logged besides its own folder."""

    mlflow: str | None = None
    """MLflow tracking URI such as sqlite:///mlflow.db; None reads MLFLOW_TRACKING_URI."""
    experiment: str | None = None
    """MLflow experiment; None is the job's name."""


class Checkpointing(Settings):
    """How often the state is saved; what is lost by a kill is at most one interval."""

    interval_s: float = Field(10.0, ge=0)
    """Seconds between two saves; 0 saves whenever it can (each epoch or update)."""


@dataclass(frozen=True)
class Repeats:
    """What one job trains one after the other, each as a child of one run."""

    kind: str
    """Kind of the run that holds them: seeds or folds."""
    jobs: Mapping[str, "Job"]
    """The job of each child, by the name that the table of scores gives it."""
    note: str
    """What the mean and its interval are of."""
    validates: bool = False
    """The result has the children's validation scores too: each child's are of other rows."""
    overlap: float = 0.0
    """See `trivium.platform.interval`."""

    @property
    def word(self) -> str:
        """The kind in the singular."""
        return self.kind.removesuffix("s")


class Job(Settings):
    """The sections that every job has."""

    name: str
    """Name of the runs it makes; the file's name when it is left out."""
    resources: Resources = Resources()
    checkpoint: Checkpointing = Checkpointing()
    tracking: Tracking = Tracking()
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of everything random but the split, which has its own."""
    seeds: int = Field(1, ge=1, le=1000)
    """Train this many times with seed, seed + 1, ... and report the mean and its interval."""
    tune: Annotated[Settings | None, section("trivium.tuning.settings:TuneSettings")] = None
    """What `trivium tune` searches, and how; `train` leaves it aside."""
    _base: Path = PrivateAttr(default_factory=Path.cwd)

    @field_validator("name")
    @classmethod
    def _name_is_a_folder_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"must be letters, digits, '.', '_' or '-' (at most 64), "
                f"since it names a folder; got {name!r}"
            )
        return name

    @property
    def base(self) -> Path:
        """Folder of the job file: relative paths are looked for here too."""
        return self._base

    @property
    def repeats(self) -> Repeats | None:
        """The trainings that the job is made of; None when it is a single one."""
        if self.seeds == 1:
            return None
        seeds = range(self.seed, self.seed + self.seeds)
        return Repeats(
            "seeds",
            {f"seed {s}": self.changed(seed=s, seeds=1) for s in seeds},
            "The interval is Student's 95% confidence interval of the mean over the seeds.",
        )

    def changed(self, **settings: Any) -> Self:
        """The same job with other values of some sections, which are not checked again."""
        made = self.model_copy(update=settings)
        made._base = self.base
        return made


@dataclass(frozen=True)
class JobFile:
    """A job as it was written: its data, and where each setting stands."""

    path: Path
    data: "CommentedMap"
    overrides: tuple[str, ...] = ()

    def place(self, mistake: Mistake) -> str:
        """`job.yaml:14: algorithm.lr: ...`, or the override that made the mistake."""
        for override in self.overrides:
            if f"{mistake.path}.".startswith(f"{override.partition('=')[0]}."):
                return f"--set {override}: {mistake}"
        return f"{self.path}:{_line(self.data, mistake)}: {mistake}"

    def locate(self, error: UserError) -> UserError:
        """The same mistakes, in the order of the file and each with its line."""
        ordered = sorted(error.mistakes, key=lambda m: _line(self.data, m))
        return UserError(*(self.place(m) for m in ordered))


def open_job(path: Path, overrides: Sequence[str] = ()) -> JobFile:
    """The job file at `path` with `--set path=value` overrides applied.

    Raises:
        UserError: no such file, not YAML (with the line), or an override that fits nowhere.
    """
    if not path.is_file():
        here = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        there = f" (job files there: {', '.join(here)})" if here else ""
        raise UserError(f"no job file {path}{nearest(path.name, here) or there}")
    data = _load_yaml(_read_text(path), path)
    if overrides:
        data = copy.deepcopy(data)
        for override in overrides:
            _set(data, override)
    return JobFile(path, data, tuple(overrides))


def read_job(file: JobFile, base: Path | None = None) -> Job:
    """The checked job of `file`; its relative paths are looked for in `base` too, if not its own.

    Raises:
        UserError: every mistake in the file, each with file and line.
    """
    folder = file.path.resolve().parent if base is None else base
    look_in(folder)
    try:
        job = check_job(file.data, default_name=_name_of(file.path))
    except UserError as error:
        raise file.locate(error) from None
    job._base = folder
    return job


def check_job(data: Mapping[str, Any], default_name: str = "job") -> Job:
    """`data` as the job type of the algorithm that it names."""
    if not data:
        raise UserError("the file is empty; a job names a dataset or env, a model and an algorithm")
    _refuse_passwords(data)
    plain: dict[str, Any] = {"name": default_name} | dict(data)
    return validate(job_type(plain), plain)


def _refuse_passwords(data: Mapping[str, Any]) -> None:
    """A job is written into every run that it makes, so it must hold no secret."""
    found = [p for p, text in flatten(data).items() if isinstance(text, str) and has_password(text)]
    if found:
        message = (
            "holds a password, which every run would keep in its files; leave it out and give it "
            "in the environment (MLflow: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; "
            "PostgreSQL: PGPASSWORD or ~/.pgpass; S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        )
        raise UserError(*(Mistake(path, message) for path in found))


def job_type(data: Mapping[str, Any]) -> type[Job]:
    """The settings class that reads this job: its algorithm's."""
    known = ", ".join(sorted(load_text(ALGORITHMS)))
    section = data.get("algorithm")
    name = section.get("name") if isinstance(section, Mapping) else section
    if section is None:
        raise UserError.at("algorithm", f"is required: a mapping with a name (one of {known})")
    if not isinstance(name, str):
        raise UserError.at("algorithm.name", f"is required (one of {known})")
    try:
        kind: type[Job] = algorithm_class(name).job_type
    except UserError as error:
        raise error.under("algorithm.name") from None
    return kind


def algorithm_class(name: str) -> Any:
    """The algorithm (see `trivium.platform.algorithm`) that `name` stands for.

    `family/NAME` is read by the registry's entry `family/*`, which gets the name at run time.
    """
    known: Mapping[str, str] = load_text(ALGORITHMS)
    family = f"{name.partition('/')[0]}/*"
    return load_text(known[family]) if "/" in name and family in known else find(name, ALGORITHMS)


def write_job(job: Job) -> str:
    """The resolved job as YAML, defaults written out; running this text repeats the run."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(dump(job), stream)
    return stream.getvalue()


def _name_of(path: Path) -> str:
    """A file's name as a job's: what cannot stand in a folder's name becomes a dash."""
    return re.sub(r"[^\w.-]+", "-", path.stem).lstrip(".-")[:64] or "job"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _load_yaml(text: str, path: Path) -> "CommentedMap":
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    for number, line in enumerate(text.splitlines(), start=1):
        if line[: len(line) - len(line.lstrip())].find("\t") >= 0:
            raise UserError(f"{path}:{number}: a tab indents this line; YAML takes spaces only")
    try:
        data = _parsed(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        key = re.search(r'duplicate key "([^"]*)"', str(error.problem))
        name = key.group(1) if key else "a setting"
        raise UserError(f"{path}:{mark.line + 1}: {name}: is set twice; keep one") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: is not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise UserError(f"{path}: is not YAML: {error}") from None
    if data is None:
        return CommentedMap()
    if not isinstance(data, CommentedMap):
        kind = "a list" if isinstance(data, list) else repr(data)
        raise UserError(f"{path}:1: must be a mapping of settings, got {kind}")
    return data


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    """Kept, and never changed: a run asks for its own job a few times, and parsing is slow."""
    from ruamel.yaml import YAML

    return YAML(typ="rt").load(text)


def _set(data: Any, override: str) -> None:
    """Apply one `path.to.setting=value`; the value is read as YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"--set {override}: must be path.to.setting=value")
    try:
        value = YAML(typ="rt").load(text) if text.strip() else None
    except YAMLError:
        raise UserError(f"--set {override}: {text!r} is not a YAML value") from None
    try:
        set_value(data, path, value)
    except UserError as error:
        raise UserError(f"--set {override}: {error}") from None


def set_value(data: Any, path: str, value: Any) -> None:
    """Give the setting at the dotted `path` of a job's data a value; also what a sweep does.

    Raises:
        UserError: the path leads through something that holds no settings.
    """
    from ruamel.yaml.comments import CommentedMap

    *parents, last = path.split(".")
    node = data
    for part in parents:
        child = _child(node, part)
        if isinstance(child, str):  # `optimizer: adam`, and now `optimizer.lr=...`
            child = CommentedMap(name=child)
            _assign(node, part, child)
        elif child is None:
            child = CommentedMap()
            _assign(node, part, child)
        node = child
    _assign(node, last, value)


def _child(node: Any, part: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None


def _assign(node: Any, part: str, value: Any) -> None:
    if isinstance(node, dict):
        node[part] = value
    elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
        node[int(part)] = value
    else:
        raise UserError(f"{part!r} has no place to be set")


def _line(data: Any, mistake: Mistake) -> int:
    """1-based line of the deepest part of the path that the file has."""
    line = 1
    parts = mistake.path.split(".")
    while parts:
        key: str | int = parts[0]
        used = 1
        if isinstance(data, list) and parts[0].isdigit() and int(parts[0]) < len(data):
            key = int(parts[0])
        elif not isinstance(data, Mapping):
            break
        elif key not in data:  # the keys of a search space are themselves dotted paths
            joined = (n for n in range(len(parts), 1, -1) if ".".join(parts[:n]) in data)
            used = next(joined, 0)
            if not used:
                break
            key = ".".join(parts[:used])
        parts = parts[used:]
        positions = getattr(data, "lc", None)
        if positions is not None and positions.data and key in positions.data:
            line = positions.data[key][0] + 1
        data = data[key]
    return line
