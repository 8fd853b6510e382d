"""How the next setting is chosen. Each names Optuna's sampler, and the points to try first.

Adding one: a class with `sampler` and `points` here, and a line in `trivium.tuning.registry`.
"""

from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from trivium.platform.errors import UserError
from trivium.platform.settings import ComponentSettings
from trivium.tuning.settings import Value
from trivium.tuning.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Searcher(Protocol):
    """One entry of SEARCHERS; `points` is asked before the search, `sampler` when it begins."""

    @property
    def reads_pruned(self) -> bool:
        """The sampler learns from trials that were stopped early, as such."""

    @property
    def takes_several_aims(self) -> bool:
        """The sampler looks for a Pareto front when there is more than one aim."""

    def points(self, space: Space) -> list[dict[str, Value]] | None:
        """All points to try, in order; None lets the sampler choose."""

    def sampler(self, seed: int) -> "BaseSampler":
        """Optuna's sampler for what is not given by `points`."""


class GridSettings(ComponentSettings):
    """Every combination of values."""

    points: int | None = Field(None, ge=2, le=1000)
    """Values that a range is cut into (by its logarithm for log ranges); None allows no ranges."""
    limit: int = Field(200, ge=1)
    """Refuse a grid of more points; raise it to confirm that so many are meant."""


class Grid:
    """All points of the grid, in its order."""

    reads_pruned = True
    takes_several_aims = True

    def __init__(self, settings: GridSettings) -> None:
        self.settings = settings

    def points(self, space: Space) -> list[dict[str, Value]] | None:
        """The whole grid.

        Raises:
            UserError: it is larger than the limit, or a range has no finite number of values.
        """
        size = space.grid_size(self.settings.points)
        if size > self.settings.limit:
            points = self.settings.points
            given = "" if points is None else f" points: {points},"
            axes = " x ".join(str(len(a)) for a in space.axes(self.settings.points))
            raise UserError.at(
                "tune.search",
                f"the grid has {axes} = {size:,} points, the limit is {self.settings.limit:,}: "
                "search fewer values, or confirm with "
                f"search: {{name: grid,{given} limit: {size}}}",
            )
        return space.grid(self.settings.points)

    def sampler(self, seed: int) -> "BaseSampler":
        """Never asked: all points are given."""
        return _quiet().samplers.RandomSampler(seed=seed)


class RandomSettings(ComponentSettings):
    """Values drawn independently of each other and of what was found."""


class Random:
    """Uniform draws."""

    reads_pruned = True
    takes_several_aims = True

    def __init__(self, settings: RandomSettings) -> None:
        self.settings = settings

    def points(self, space: Space) -> list[dict[str, Value]] | None:
        """None: all are drawn."""
        return None

    def sampler(self, seed: int) -> "BaseSampler":
        """Optuna's random sampler."""
        return _quiet().samplers.RandomSampler(seed=seed)


class BayesianSettings(ComponentSettings):
    """Values drawn where earlier trials did well."""

    sampler: Literal["tpe", "gp", "cma-es"] = "tpe"
    """tpe takes any space; gp is best for few trials of few numbers; cma-es is for many trials of
    numbers alone (it draws choices and conditional settings at random)."""
    num_random: int = Field(10, ge=0)
    """Trials drawn at random before the model begins."""


class Bayesian:
    """Tree-structured Parzen estimator, Gaussian process or CMA-ES, as Optuna has them."""

    def __init__(self, settings: BayesianSettings) -> None:
        self.settings = settings

    @property
    def reads_pruned(self) -> bool:
        """The other two would pass over stopped trials: for them the value so far counts."""
        return self.settings.sampler == "tpe"

    @property
    def takes_several_aims(self) -> bool:
        """CMA-ES has one."""
        return self.settings.sampler != "cma-es"

    def points(self, space: Space) -> list[dict[str, Value]] | None:
        """None: all are drawn."""
        return None

    def sampler(self, seed: int) -> "BaseSampler":
        """The sampler, seeded."""
        samplers, num_random = _quiet().samplers, self.settings.num_random
        made: BaseSampler
        if self.settings.sampler == "gp":
            made = samplers.GPSampler(seed=seed, n_startup_trials=num_random)
        elif self.settings.sampler == "cma-es":
            made = samplers.CmaEsSampler(seed=seed, n_startup_trials=num_random)
        else:
            # Trials that still run count as bad, so that those side by side are not alike.
            made = samplers.TPESampler(seed=seed, n_startup_trials=num_random, constant_liar=True)
        return made


class EvolutionSettings(ComponentSettings):
    """Values crossed and mutated from those of the best trials so far (NSGA-II)."""

    population: int = Field(20, ge=2)
    """Trials of a generation; the first one is drawn at random."""


class Evolution:
    """NSGA-II (Deb and others 2002), https://doi.org/10.1109/4235.996017: for several aims."""

    reads_pruned = False
    takes_several_aims = True

    def __init__(self, settings: EvolutionSettings) -> None:
        self.settings = settings

    def points(self, space: Space) -> list[dict[str, Value]] | None:
        """None: all are drawn."""
        return None

    def sampler(self, seed: int) -> "BaseSampler":
        """Optuna's NSGA-II."""
        return _quiet().samplers.NSGAIISampler(seed=seed, population_size=self.settings.population)


def _quiet() -> Value:
    """Optuna, saying nothing of experimental options and of its own progress.

    Raises:
        UserError: it is not installed.
    """
    import warnings

    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError(
            "tuning needs Optuna, which is not installed: pip install 'trivium[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
