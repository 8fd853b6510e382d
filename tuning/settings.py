"""The `tune:` section of a job: what is searched, how, for how long, and what decides."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_serializer, model_validator

from trivium.platform.settings import ComponentSettings, Many, Settings, component

SEARCHERS = "trivium.tuning.registry:SEARCHERS"
SCHEDULERS = "trivium.tuning.registry:SCHEDULERS"

Value: TypeAlias = Any
"""A value as YAML has it: a number, a text, a truth, null, a list or a mapping of these."""

Range: TypeAlias = Annotated[tuple[float, float], Field(strict=False)]
IntRange: TypeAlias = Annotated[tuple[int, int], Field(strict=False)]
Steps: TypeAlias = Annotated[tuple[float, float, float], Field(strict=False)]
DISTRIBUTIONS = ("uniform", "loguniform", "int", "logint", "quantized", "choice")


class Distribution(Settings):
    """The values that a searched setting may take: one of these, and perhaps a condition."""

    uniform: Range | None = None
    """[low, high]: any number between."""
    loguniform: Range | None = None
    """[low, high]: any number between, each power of ten equally likely."""
    int: IntRange | None = None
    """[low, high]: any whole number between, both included."""
    logint: IntRange | None = None
    """[low, high]: any whole number between, small ones as likely as large ones."""
    quantized: Steps | None = None
    """[low, high, step]: low, low + step, ... up to high; whole numbers stay whole."""
    choice: Many[Value] | None = None
    """One of these values; a list or a mapping is a value too."""
    when: dict[str, Value] | None = None
    """Search this only when another searched setting has this value, or one of this list; else
    the setting stays as the job has it."""

    @property
    def kind(self) -> str:
        """Which of the distributions it is."""
        return next(k for k in DISTRIBUTIONS if getattr(self, k) is not None)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [k for k in DISTRIBUTIONS if getattr(self, k) is not None]
        if len(given) != 1:
            found = f"got {' and '.join(given)}" if given else "got none"
            raise ValueError(f"must be exactly one of {', '.join(DISTRIBUTIONS)}; {found}")
        kind = given[0]
        value = getattr(self, kind)
        if kind == "choice":
            if len(value) < 2:
                raise ValueError(f"choice: must have two values at least, got {list(value)}")
            return self
        if value[0] >= value[1]:
            raise ValueError(f"{kind}: low must be below high, got {list(value)}")
        if kind.startswith("log") and value[0] <= 0:
            raise ValueError(f"{kind}: low must be above 0, got {value[0]:g}")
        if kind == "quantized" and not 0 < value[2] <= value[1] - value[0]:
            raise ValueError(
                f"quantized: step must be above 0 and at most high - low, got {value[2]:g}"
            )
        return self

    @model_serializer
    def _given(self) -> dict[str, Value]:
        values = {k: getattr(self, k) for k in (*DISTRIBUTIONS, "when")}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {k: v for k, v in plain.items() if v is not None}


class FinalSettings(Settings):
    """After the search: the best settings and the job's own are trained again on fresh seeds."""

    top: Annotated[int, Field(ge=0, le=100)] = 2
    """How many of the best settings; 0 leaves this out."""
    seeds: Annotated[int, Field(ge=2, le=100)] = 3
    """Fresh seeds for each; more make the interval of the difference narrower."""


class TuneSettings(Settings):
    """What `trivium tune` searches, and how."""

    space: dict[str, Distribution] = Field(min_length=1)
    """The searched settings: dotted name, as in the job file, to the values it may take."""
    search: Annotated[ComponentSettings, component(SEARCHERS, unnamed="bayesian")] = Field(
        "bayesian", validate_default=True
    )
    """How the next setting to try is chosen."""
    num_trials: Annotated[int, Field(ge=1, le=100_000)] = 30
    """Settings to try; a grid tries all of its own."""
    metric: str | None = None
    """What is made best, such as validation/accuracy; None is the algorithm's own."""
    mode: Literal["max", "min"] | None = None
    """Whether more or less is better; None is told from the metric."""
    metrics: Many[str] = ()
    """Several aims at once, instead of one metric: metrics, parameters, latency_ms (of a trained
    model). No trial is the best then; those that none beats in all aims are the Pareto front."""
    scheduler: Annotated[ComponentSettings, component(SCHEDULERS)] = Field(
        "none", validate_default=True
    )
    """What stops hopeless trials early."""
    points: Many[dict[str, Value]] = ()
    """Settings to try first, each a mapping from searched names to values."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Train each setting with this many seeds, and score it by the mean."""
    final: FinalSettings = FinalSettings()
    """How sure the winner is: it is trained again, beside the second and the job's own."""
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Trials at once; None is as many as the CPUs of this machine hold."""
    cpus_per_trial: Annotated[float, Field(gt=0)] = 1.0
    """CPUs that a trial reserves; a fraction lets several share one."""
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0.0
    """GPUs that a trial reserves; a fraction lets several share one."""
    max_failures: Annotated[int, Field(ge=0)] = 10
    """Failed trials after which the sweep gives up."""
    storage: str | None = None
    """Optuna storage (sqlite:///study.db, postgresql://...); None is a journal file in the run."""

    @model_validator(mode="after")
    def _aims(self) -> Self:
        if not self.metrics:
            return self
        if self.metric is not None or self.mode is not None:
            raise ValueError("metrics: has no effect beside metric and mode: keep one way")
        if len(set(self.metrics)) < 2:
            raise ValueError("metrics: must be two different ones at least; else give metric")
        if self.scheduler.name != "none":
            raise ValueError(
                f"scheduler: {self.scheduler.name} compares trials by one metric while they train; "
                "with metrics every trial trains to its end: leave scheduler out"
            )
        if self.final != FinalSettings() and self.final.top > 0:  # job.yaml writes the default out
            raise ValueError(
                "final: names one winner, and with metrics there is none: leave final out"
            )
        return self
