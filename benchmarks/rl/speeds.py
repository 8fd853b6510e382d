"""Environment steps a second: of two env runners beside one, and of our own environments."""

import json
import subprocess
import tempfile
from pathlib import Path

from subjects import HERE, PYTHON, Measurement, environment_variables

RUNNERS = "slow env runners"
ENV_SPEED = "env speed"


def measure_runners() -> list[Measurement]:
    """One runner, two, two, one, twice: each a process of its own."""
    return [_measure_runners(count, number) for number, count in enumerate((1, 2, 2, 1, 1, 2))]


def _measure_runners(count: int, number: int) -> Measurement:
    found = json.loads(_run("runners.py", str(count)).splitlines()[-1])
    name = {1: "one runner", 2: "two runners"}[count]
    return Measurement(name, "slow env", number, True, **found)


def measure_env_speed() -> list[Measurement]:
    """Each repeat of env_speed.py, in CPU seconds of the process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.json"
        _run("env_speed.py", "--json", str(file))
        environments = json.loads(file.read_text())["environments"]
    return [
        Measurement(
            subject=f"{name.removeprefix('trivium/')}, {version}",
            task=ENV_SPEED,
            seed=number,
            reached=True,
            learning_s=round(figures["env_steps"] / rate, 4),
            env_steps=figures["env_steps"],
            env_steps_per_s=round(rate),
        )
        for name, versions in environments.items()
        for version, figures in versions.items()
        for number, rate in enumerate(figures["all"])
    ]


def _run(script: str, *arguments: str) -> str:
    words = [str(PYTHON), str(HERE / script), *arguments]
    done = subprocess.run(
        words, env=environment_variables(), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0 and script != "env_speed.py":  # which exits 1 when one is too slow
        raise SystemExit(f"{' '.join(words)} failed with {done.returncode}")
    return done.stdout
