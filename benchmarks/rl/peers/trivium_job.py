"""A ready-made job's algorithm in the race: python trivium_job.py TASK JOB SEED [KEY=VALUE ...]."""

import sys
from pathlib import Path

import numpy as np
from race import Race

from trivium.platform.job import algorithm_class, open_job, read_job
from trivium.trainers.rl.algorithm import build


def main() -> None:
    task, path, seed, *overrides = sys.argv[1:]
    job = read_job(open_job(Path(path), [f"seed={seed}", *overrides]))
    algorithm = build(job, algorithm_class(job.algorithm.name)(job).rllib_class())
    player = algorithm.player()
    observations = getattr(player, "observations", None)
    race = Race(task)

    def act(obs: object) -> object:
        rows = np.asarray(obs if observations is None else observations.to_arrays(obs, len(obs)))
        player.start(len(rows), 0)
        return player.act(rows, np.zeros(len(rows), np.bool_), False)

    while not race.check(act, algorithm.env_steps):
        algorithm.advance()
    algorithm.stop()


main()
