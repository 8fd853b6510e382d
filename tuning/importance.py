"""How much of the differences between a sweep's trials each setting explains.

The measure is PED-ANOVA (Watanabe and others, IJCAI 2023), as Optuna has it: how differently the
settings of the best trials are distributed from those of all. Trials that were stopped early count
with their best value so far; without them, what made them hopeless would not show.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trivium.platform.lean_import import import_without
from trivium.tuning.objective import Objective
from trivium.tuning.space import Space
from trivium.tuning.trials import TrialRow

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FEWEST = 4
"""Trials below which nothing is said."""
BEST = 10
"""Trials that are the best ones: a tenth of all when that is more, half of all when it is fewer.
The tenth of Optuna's default is three trials of thirty, too few to tell a distribution from."""


def importances(
    rows: Sequence[TrialRow], space: Space, objectives: Sequence[Objective], place: int = 0
) -> dict[str, float]:
    """Share of the variance that each setting explains of the aim at `place`, the largest first.

    Empty when the trials are too few, or all equally good.
    """
    found = [(r, _value(r, len(objectives), place)) for r in rows if r.status != "failed"]
    valued = [(r, v) for r, v in found if v is not None]
    if len(valued) < FEWEST or len({v for _, v in valued}) < 2:
        return {}
    # Its fANOVA, which is not used, would import all of scikit-learn.
    importance = import_without("optuna.importance", "sklearn")
    optuna = import_without("optuna", "sklearn")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = "maximize" if objectives[place].larger_is_better else "minimize"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction=direction)
        trials = [t for t in (_trial(r, v, space) for r, v in valued) if t is not None]
        study.add_trials(trials)
        try:
            share = min(0.5, max(0.1, BEST / max(1, len(trials))))
            evaluator = importance.PedAnovaImportanceEvaluator(target_quantile=share)
            return dict(importance.get_param_importances(study, evaluator=evaluator))
        except (ValueError, RuntimeError):
            return {}


def _value(row: TrialRow, num_aims: int, place: int) -> float | None:
    if num_aims == 1:
        return row.value
    return row.values[place] if row.values else None


def _trial(row: TrialRow, value: float, space: Space) -> "FrozenTrial | None":
    """The trial as Optuna has it; None when its settings left the searched ranges since."""
    from optuna.trial import FixedTrial, create_trial

    drawn = FixedTrial(space.encoded(row.point))
    try:
        space.draw(drawn)
        return create_trial(params=drawn.params, distributions=drawn.distributions, value=value)
    except ValueError:
        return None
