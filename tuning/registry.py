"""The searchers and schedulers that the `tune:` section may name."""

SEARCHERS = {
    "bayesian": "trivium.tuning.searchers:Bayesian",
    "grid": "trivium.tuning.searchers:Grid",
    "nsga2": "trivium.tuning.searchers:Evolution",
    "random": "trivium.tuning.searchers:Random",
}

SCHEDULERS = {
    "asha": "trivium.tuning.schedulers:Asha",
    "hyperband": "trivium.tuning.schedulers:HyperBand",
    "median": "trivium.tuning.schedulers:MedianStopping",
    "none": "trivium.tuning.schedulers:NoStopping",
    "pbt": "trivium.tuning.population:Population",
    "synchronous_hyperband": "trivium.tuning.hyperband:SynchronousHyperBand",
}
