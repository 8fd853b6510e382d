"""The algorithms that a job file may name, and the parts of the supervised one."""

ALGORITHMS = {
    "a2c": "trivium.trainers.rl.actor_critic.a2c:A2c",
    "double_q_learning": "trivium.trainers.rl.tabular.trainer:DoubleQLearning",
    "dqn": "trivium.trainers.rl.dqn.trainer:Dqn",
    "ensemble": "trivium.trainers.supervised.ensemble.trainer:Ensemble",
    "expected_sarsa": "trivium.trainers.rl.tabular.trainer:ExpectedSarsa",
    "ppo": "trivium.trainers.rl.actor_critic.ppo:Ppo",
    "q_learning": "trivium.trainers.rl.tabular.trainer:QLearning",
    "reinforce": "trivium.trainers.rl.actor_critic.reinforce:Reinforce",
    "rllib/*": "trivium.trainers.rl.rllib.trainer:Rllib",
    "sarsa": "trivium.trainers.rl.tabular.trainer:Sarsa",
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

WRAPPERS = {
    "clip_reward": "trivium.trainers.rl.environment.wrappers:clip_reward",
    "flatten": "trivium.trainers.rl.environment.wrappers:flatten",
    "frame_stack": "trivium.trainers.rl.environment.wrappers:frame_stack",
    "minigrid_codes": "trivium.trainers.rl.environment.wrappers:minigrid_codes",
    "normalize_observation": "trivium.trainers.rl.environment.wrappers:normalize_observation",
    "normalize_reward": "trivium.trainers.rl.environment.wrappers:normalize_reward",
    "time_limit": "trivium.trainers.rl.environment.wrappers:time_limit",
}

EXPLORATIONS = {
    "epsilon_greedy": "trivium.trainers.rl.tabular.exploration:EpsilonGreedy",
    "softmax": "trivium.trainers.rl.tabular.exploration:Softmax",
    "ucb": "trivium.trainers.rl.tabular.exploration:Ucb",
}
