"""How the outputs of several members become one: four ways, each a small module.

Members' outputs come as `values`: log-probabilities [M, N, C] of M members for N rows and C
classes, or estimates [M, N] of a real target. A combination gives log-probabilities (or logits)
[N, C], or estimates [N]. As modules they go into the exported model as they are.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trivium.trainers.supervised.ensemble.job import Method

LEAST = 1e-6
"""No probability counts as less: one that is certain and wrong must not outweigh all others."""
_BAGS = 20
_ROUNDS = 25
_NUM_PARTS = 5
_NUM_PARTS_OF_STRENGTH = 3
_STRENGTHS = np.logspace(-3, 1, 5)  # of the stacker's regression: inverse of its penalty
_PENALTIES = np.logspace(-3, 3, 13)


class Voting(nn.Module):
    """What most members say: the class with most votes, or the middle estimate.

    Probabilities are (votes + mean probability) / (members + 1): the mean decides ties only, as
    two votes differ by at least one and two means by less.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """[M, N, C] to [N, C], or [M, N] to [N]."""
        count = len(values)
        if values.ndim == 2:
            ordered = values.sort(dim=0).values
            return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
        votes = nn.functional.one_hot(values.argmax(2), values.shape[2]).sum(0)
        return ((votes + values.exp().mean(0)) / (count + 1)).log()


class Weighted(nn.Module):
    """The mean of probabilities or estimates, by weights [M] that sum to 1."""

    weights: torch.Tensor

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights.float())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """[M, N, C] to [N, C], or [M, N] to [N]."""
        if values.ndim == 2:
            return (self.weights[:, None] * values).sum(0)
        return (self.weights[:, None, None] * values.exp()).sum(0).clamp_min(LEAST).log()


class Stacked(nn.Module):
    """A linear regression on all members' outputs: [M * C] log-probabilities, or [M] estimates."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        self.linear.weight.data, self.linear.bias.data = weight.float(), bias.float()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """[M, N, C] to [N, C], or [M, N] to [N]."""
        combined: torch.Tensor = self.linear(_features(values))
        return combined[:, 0] if values.ndim == 2 else combined.log_softmax(1)


def fit(method: Method, values: torch.Tensor, target: torch.Tensor, seed: int) -> nn.Module:
    """The combination, from the members' outputs for rows that none of them was trained on."""
    if method == "voting":
        return Voting()
    if method == "average":
        return Weighted(torch.full((len(values),), 1 / len(values)))
    if method == "bagged":
        return Weighted(torch.from_numpy(_bagged_weights(values, target, seed)))
    return _stacked_reals(values, target) if values.ndim == 2 else _stacked(values, target, seed)


def blank(method: Method, num_members: int, num_classes: int) -> nn.Module:
    """The combination before its weights are loaded; `num_classes` is 0 for a real target."""
    if method == "voting":
        return Voting()
    if method in ("average", "bagged"):
        return Weighted(torch.zeros(num_members))
    outputs = max(1, num_classes)
    return Stacked(torch.zeros(outputs, num_members * outputs), torch.zeros(outputs))


def is_fitted(method: Method) -> bool:
    """Whether the combination learns from the rows it is given."""
    return method in ("bagged", "stacked")


def cross_fitted(
    method: Method, values: torch.Tensor, target: torch.Tensor, seed: int
) -> torch.Tensor:
    """The combination's outputs for the rows that it is fitted on, each by one fitted without it.

    The rows are shared out in five parts; what is fitted on four of them is asked for the fifth.
    """
    if not is_fitted(method):
        outputs: torch.Tensor = fit(method, values, target, seed)(values)
        return outputs
    parts = _parts(values.shape[1], _NUM_PARTS, seed)
    outputs = torch.zeros(values.shape[1:])
    with torch.no_grad():
        for part in np.unique(parts):
            own = torch.from_numpy(parts == part)
            made = fit(method, values[:, ~own], target[~own], seed)
            outputs[own] = made(values[:, own])
    return outputs


def _parts(num_rows: int, num_parts: int, seed: int) -> NDArray[np.int64]:
    """A part for each row, [N]; all of like size."""
    shuffled = np.random.default_rng(seed).permutation(num_rows)
    parts: NDArray[np.int64] = shuffled % min(num_parts, num_rows)
    return parts


def _bagged_weights(values: torch.Tensor, target: torch.Tensor, seed: int) -> NDArray[np.float64]:
    """Mean over resampled rows of the weights that greedy selection gives, [M].

    Bagged ensemble selection, Caruana et al. 2004, https://doi.org/10.1145/1015330.1015432: what
    lowers the loss of the mean most is added, again and again, also what is in it already; the
    loss is the log loss, or the squared error.
    """
    random = np.random.default_rng(seed)
    if values.ndim == 3:  # of a mean of probabilities the log loss sees those of the truth alone
        index = target.long()[None, :, None].expand(len(values), -1, 1)
        told = values.gather(2, index)[:, :, 0].exp().clamp_min(LEAST).double().numpy()
        truth = None
    else:
        told, truth = values.double().numpy(), target.double().numpy()
    num_rows = told.shape[1]
    bags = [random.integers(num_rows, size=num_rows) for _ in range(_BAGS)]
    chosen = [_select(told[:, b], None if truth is None else truth[b]) for b in bags]
    weights: NDArray[np.float64] = np.mean(chosen, axis=0)
    return weights


def _select(told: NDArray[np.float64], truth: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Weights [M] of the best of the first selections, from [M, N]."""
    counts, total = np.zeros(len(told)), np.zeros(told.shape[1])
    best, best_loss = counts, np.inf
    for size in range(1, _ROUNDS + 1):
        means = (total + told) / size
        losses = -np.log(means).mean(1) if truth is None else ((means - truth) ** 2).mean(1)
        added = int(losses.argmin())
        counts = counts + np.eye(len(told))[added]
        total = total + told[added]
        if losses[added] < best_loss - 1e-12:
            best, best_loss = counts / size, float(losses[added])
    return best


def _stacked(values: torch.Tensor, target: torch.Tensor, seed: int) -> Stacked:
    """Multinomial logistic regression; its strength is the one that predicts other rows best."""
    features, truth = _features(values).numpy(), target.numpy()
    num_classes, parts = values.shape[2], _parts(len(truth), _NUM_PARTS_OF_STRENGTH, seed)
    losses = []
    for strength in _STRENGTHS:
        rows = []
        for part in np.unique(parts):
            own = parts == part
            made = _logistic(features[~own], truth[~own], num_classes, strength)
            outputs = made(values[:, torch.from_numpy(own)])
            rows.append(nn.functional.cross_entropy(outputs, target[own], reduction="sum").item())
        losses.append(sum(rows))
    return _logistic(features, truth, num_classes, _STRENGTHS[int(np.argmin(losses))])


def _logistic(
    features: NDArray[np.float32], truth: NDArray[np.int64], num_classes: int, strength: float
) -> Stacked:
    """Fitted to standardized features, given back for those as they are.

    A class that no row is of gets the least probability, whatever the members say.
    """
    import warnings

    from sklearn.linear_model import LogisticRegression

    weight = torch.zeros(num_classes, features.shape[1])
    bias = torch.full((num_classes,), float(np.log(LEAST)))
    classes = np.unique(truth)
    bias[classes] = 0.0
    if len(classes) > 1:
        middle, spread = features.mean(0), features.std(0) + 1e-6
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=200)
        with warnings.catch_warnings():  # one cut short is judged on other rows like the rest
            warnings.simplefilter("ignore")
            model.fit((features - middle) / spread, truth)
        # Of two classes there is one row of weights, for the second.
        rows = classes if len(classes) > 2 else classes[1:]
        coefficients = model.coef_ / spread
        weight[rows] = torch.from_numpy(coefficients).float()
        bias[rows] = torch.from_numpy(model.intercept_ - coefficients @ middle).float()
    return Stacked(weight, bias)


def _stacked_reals(values: torch.Tensor, target: torch.Tensor) -> Stacked:
    """Ridge regression on the members' estimates, all in units of the target's spread."""
    from sklearn.linear_model import RidgeCV

    truth = target.double().numpy()
    middle, spread = truth.mean(), truth.std() or 1.0
    features = (_features(values).double().numpy() - middle) / spread
    fitted = RidgeCV(alphas=_PENALTIES).fit(features, (truth - middle) / spread)
    weight = torch.from_numpy(np.atleast_2d(fitted.coef_))
    bias = float(fitted.intercept_) * spread + middle * (1 - float(fitted.coef_.sum()))
    return Stacked(weight, torch.tensor([bias]))


def _features(values: torch.Tensor) -> torch.Tensor:
    """[M, N, C] as [N, M * C], [M, N] as [N, M]."""
    if values.ndim == 2:
        return values.T
    clamped = values.clamp_min(float(np.log(LEAST)))
    return clamped.permute(1, 0, 2).reshape(values.shape[1], -1)
