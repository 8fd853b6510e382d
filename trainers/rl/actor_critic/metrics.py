"""What the actor-critic family reports of its updates."""

from trivium.platform.exhibit import Metric

METRICS = (
    Metric(
        "train/entropy",
        "Mean entropy of the policy's action distribution, in nats; of several actions the sum.",
        False,
        "Falls slowly from its start (log of the number of actions). Near 0 early on, the policy "
        "stopped exploring: raise entropy_coefficient. Never falling, nothing is learned.",
    ),
    Metric(
        "train/kl",
        "Mean divergence of the policy from the one that collected the rollout.",
        False,
        "0.003 to 0.03. Above 0.1 updates are too large: lower lr or epochs, or set target_kl.",
    ),
    Metric(
        "train/clip_fraction",
        "Share of actions whose probability ratio left 1 +- clip.",
        False,
        "0.05 to 0.3. Above it, lower lr or epochs; at 0 they may be raised.",
    ),
    Metric(
        "train/explained_variance",
        "Share of the returns' variance that the critic foretells, before the update.",
        True,
        "Towards 1. Below 0 the critic is worse than a constant: give it a larger "
        "value_coefficient, or normalize_reward when returns are large.",
    ),
    Metric(
        "train/value_loss",
        "Mean squared error of the critic.",
        False,
        "Falls at first, then follows the square of the returns' size. In the thousands and "
        "steady, the returns are large: normalize_reward.",
    ),
    Metric(
        "train/policy_loss",
        "The clipped objective, negated; its level says little.",
        False,
        "Slightly below 0 and noisy.",
    ),
    Metric(
        "train/gradient_norm",
        "Mean length of the gradient before it is shortened to max_grad_norm.",
        False,
        "Steady. Growing a hundredfold, learning diverges: lower lr.",
    ),
    Metric(
        "train/gradient_steps",
        "Gradient steps of an update; fewer when target_kl ended it.",
        True,
        "epochs times minibatches; where it is often fewer, lower lr.",
    ),
    Metric("train/lr", "Step size.", False, "As its schedule says."),
)
