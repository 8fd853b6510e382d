"""The algorithms that a job file may name, and the parts of the supervised one."""

ALGORITHMS = {
    "supervised": "trivium.trainers.supervised.trainer:Supervised",
}

TASKS = {
    "classification": "trivium.trainers.supervised.tasks.classification:Classification",
    "rating": "trivium.trainers.supervised.tasks.rating:Rating",
    "regression": "trivium.trainers.supervised.tasks.regression:Regression",
}

OPTIMIZERS = {
    "adam": "trivium.trainers.supervised.optimizers:adam",
    "adamw": "trivium.trainers.supervised.optimizers:adamw",
    "rmsprop": "trivium.trainers.supervised.optimizers:rmsprop",
    "sgd": "trivium.trainers.supervised.optimizers:sgd",
}

SCHEDULES = {
    "constant": "trivium.trainers.supervised.schedules:Constant",
    "cosine": "trivium.trainers.supervised.schedules:Cosine",
    "exponential": "trivium.trainers.supervised.schedules:Exponential",
    "inverse_time": "trivium.trainers.supervised.schedules:InverseTime",
    "reduce_on_plateau": "trivium.trainers.supervised.schedules:ReduceOnPlateau",
    "step": "trivium.trainers.supervised.schedules:Step",
}
