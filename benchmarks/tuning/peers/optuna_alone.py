"""Optuna's TPE in one process with a journal file. Argument: number of trials."""

import sys

import optuna
from optuna.storages.journal import JournalFileBackend

if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0),
        storage=optuna.storages.JournalStorage(JournalFileBackend("study.log")),
    )
    study.optimize(lambda t: (t.suggest_float("x", -5, 5) - 0.3) ** 2, n_trials=int(sys.argv[1]))
    print(study.best_value)
