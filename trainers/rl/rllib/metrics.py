"""What RLlib's algorithms report of their updates, under RLlib's own names."""

from trivium.platform.exhibit import Metric

TOTAL_LOSS = Metric(
    "train/total_loss",
    "The loss of RLlib's learner, all its parts added.",
    False,
    "Its level says little; a jump or a steady climb together with falling returns means that "
    "learning diverges: lower lr.",
)
_ENTROPY = Metric(
    "train/entropy",
    "Mean entropy of the policy's action distribution, in nats.",
    False,
    "Falls slowly; near 0 early on, the policy stopped exploring: raise entropy_coeff.",
)
_KL = Metric(
    "train/mean_kl_loss",
    "Mean divergence of the policy from the one that collected the batch.",
    False,
    "0.003 to 0.03. Above 0.1 updates are too large: lower lr or num_epochs.",
)
_EXPLAINED = Metric(
    "train/vf_explained_var",
    "Share of the returns' variance that the critic foretells.",
    True,
    "Towards 1; below 0 the critic is worse than a constant.",
)
_VALUE_LOSS = Metric(
    "train/vf_loss",
    "Error of the critic.",
    False,
    "Falls at first, then follows the square of the returns' size.",
)
_Q_MEAN = Metric(
    "train/qf_mean",
    "Mean value of the actions that were replayed.",
    True,
    "Settles near the discounted return; far above what can be reached it is overestimated.",
)
_Q_LOSS = Metric(
    "train/qf_loss",
    "Error of the action values against their targets.",
    False,
    "Grows with the returns and need not fall; without bound it means divergence: lower its lr.",
)
_ALPHA = Metric(
    "train/alpha_value",
    "Weight of the entropy beside the return.",
    False,
    "Falls from 1 and settles; growing without end, target_entropy cannot be reached.",
)
_IMPORTANCE = Metric(
    "train/mean_IS",
    "Mean ratio of the current policy's probabilities to those that acted.",
    False,
    "Near 1; far from it, the episodes are too old for the policy.",
)

_ON_POLICY = (_ENTROPY, _KL, _EXPLAINED, _VALUE_LOSS)
_SOFT = (_Q_MEAN, _Q_LOSS, _ALPHA)
BY_ALGORITHM = {
    "APPO": (_ENTROPY, _KL, _VALUE_LOSS, _IMPORTANCE),
    "CQL": _SOFT,
    "DQN": (_Q_MEAN, _Q_LOSS),
    "IMPALA": (_ENTROPY, _VALUE_LOSS),
    "PPO": _ON_POLICY,
    "SAC": _SOFT,
    "TQC": _SOFT,
}


def metrics_of(algorithm: str) -> tuple[Metric, ...]:
    """Of RLlib's algorithm of that name; the loss alone where its others are not described."""
    return (TOTAL_LOSS, *BY_ALGORITHM.get(algorithm, ()))
