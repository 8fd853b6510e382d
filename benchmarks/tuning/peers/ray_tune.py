"""Stock Ray Tune with Optuna's TPE, as its documentation has it. Argument: number of trials."""

import sys

import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch


def objective(config: dict[str, float]) -> None:
    tune.report({"loss": (config["x"] - 0.3) ** 2})


if __name__ == "__main__":
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        objective,
        param_space={"x": tune.uniform(-5, 5)},
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(seed=0),
            metric="loss",
            mode="min",
            num_samples=int(sys.argv[1]),
            max_concurrent_trials=2,
        ),
        run_config=tune.RunConfig(verbose=0),
    )
    print(tuner.fit().get_best_result().metrics["loss"])
