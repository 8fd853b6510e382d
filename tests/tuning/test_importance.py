"""What a sweep says of its settings' importance."""

import subprocess
import sys
from dataclasses import replace

import numpy as np

from trivium.tuning.importance import importances
from trivium.tuning.objective import Objective
from trivium.tuning.settings import Distribution
from trivium.tuning.space import Space
from trivium.tuning.trials import TrialRow

LOSS = Objective("validation/loss", False)
SPACE = Space(
    {
        "lr": Distribution(loguniform=(1e-4, 1.0)),
        "width": Distribution(choice=([8], [16])),
        "momentum": Distribution(uniform=(0.0, 1.0), when={"width": [[8]]}),
    }
)


def rows(count: int) -> list[TrialRow]:
    """Trials whose loss follows from lr alone; those with a poor one were stopped early."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        lr = float(10 ** generator.uniform(-4, 0))
        width = [8] if generator.random() < 0.5 else [16]
        point = {"lr": lr, "width": width} | ({"momentum": 0.5} if width == [8] else {})
        loss = abs(np.log10(lr) + 2)
        found.append(
            TrialRow(number, "stopped early" if loss > 0.5 else "finished", loss, 1, point, 1)
        )
    return found


def test_what_decides_is_found_also_by_trials_that_were_stopped() -> None:
    shares = importances(rows(30), SPACE, [LOSS])
    assert next(iter(shares)) == "lr"
    assert shares["lr"] > 0.9


def test_of_several_aims_each_has_its_own() -> None:
    aims = [LOSS, Objective("parameters", False, is_cost=True)]
    both = [
        replace(r, values=(r.value or 0.0, 100.0 * len(str(r.point["width"])))) for r in rows(30)
    ]
    assert importances(both, SPACE, aims, 0)["lr"] > 0.8
    assert importances(both, SPACE, aims, 1)["width"] > 0.8


def test_of_few_trials_nothing_is_said() -> None:
    assert importances(rows(3), SPACE, [LOSS]) == {}
    failed = [replace(r, status="failed") for r in rows(30)]
    assert importances(failed, SPACE, [LOSS]) == {}
    assert importances([replace(r, value=0.5) for r in rows(30)], SPACE, [LOSS]) == {}


def test_a_population_may_leave_what_is_searched() -> None:
    outside = [replace(r, point={**r.point, "lr": 3.0}) for r in rows(6)]
    assert importances(outside, SPACE, [LOSS]) == {}


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, trivium.tuning.outcome\n"
        "from tests.tuning.test_importance import LOSS, SPACE, importances, rows\n"
        "importances(rows(30), SPACE, [LOSS])\n"
        "print([m for m in ('sklearn', 'torch', 'ray', 'pandas', 'scipy') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"
