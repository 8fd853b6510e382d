"""What a model must beat: the plain method for the same data, scored on the same test rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from trivium.datasets.dataset import Dataset
from trivium.platform.job import open_job, read_job
from trivium.platform.runner import make_algorithm

Scores = dict[str, float]


def dataset_of(job_file: Path) -> Dataset:
    """The prepared data of a job, split as the job splits it."""
    dataset: Dataset = make_algorithm(read_job(open_job(job_file))).dataset  # type: ignore[attr-defined]
    return dataset


def _dense(dataset: Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    batches = list(dataset.batches(split, 4096).epoch(0))
    inputs = np.concatenate([b.inputs[0].flatten(1).numpy() for b in batches])
    return inputs, np.concatenate([b.target.numpy() for b in batches])


def _texts(dataset: Dataset, split: str) -> tuple[list[str], np.ndarray]:
    batches = list(dataset.batches(split, 4096).epoch(0))  # in the order of lengths
    target = np.concatenate([b.target.numpy() for b in batches])
    places = dataset.positions(np.concatenate([b.rows.numpy() for b in batches]), split)
    return [str(dataset.example(int(i), split)) for i in places], target


def _classification(truth: np.ndarray, predicted: np.ndarray) -> Scores:
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "test/accuracy": float(accuracy_score(truth, predicted)),
        "test/f1_macro": float(f1_score(truth, predicted, average="macro")),
    }


def logistic_regression(dataset: Dataset) -> Scores:
    """On the standardized inputs."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=2000).fit(*_dense(dataset, "train"))
    inputs, truth = _dense(dataset, "test")
    return _classification(truth, model.predict(inputs))


def tf_idf(dataset: Dataset) -> Scores:
    """Logistic regression on TF-IDF of the tokens that the model reads (characters: 1 to 2)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, target = _texts(dataset, "train")
    is_character = np.mean([len(t.split()) for t in texts[:200]]) < 5
    vectorizer = (
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2)
        if is_character
        else TfidfVectorizer(min_df=2, sublinear_tf=True)
    )
    model = LogisticRegression(max_iter=2000, C=10).fit(vectorizer.fit_transform(texts), target)
    texts, truth = _texts(dataset, "test")
    return _classification(truth, model.predict(vectorizer.transform(texts)))


def ridge(dataset: Dataset) -> Scores:
    """Ridge regression, its penalty chosen by cross-validation on the training rows."""
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import mean_squared_error, r2_score

    model = RidgeCV(alphas=np.logspace(-2, 3, 30)).fit(*_dense(dataset, "train"))
    inputs, truth = _dense(dataset, "test")
    predicted = model.predict(inputs)
    return {
        "test/rmse": float(np.sqrt(mean_squared_error(truth, predicted))),
        "test/r2": float(r2_score(truth, predicted)),
    }


def biases_alone(dataset: Dataset) -> Scores:
    """Mean plus a bias per user and item, by regularised alternating least squares.

    The penalty is chosen on the validation rows, as the model's settings were.
    """
    train, validation, test = (_ratings(dataset, s) for s in ("train", "validation", "test"))
    fits = [_fit_biases(dataset, *train, penalty) for penalty in (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)]
    best = min(fits, key=lambda fit: _rmse(fit, *validation))
    return {"test/rmse": _rmse(best, *test)}


def _ratings(dataset: Dataset, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    batches = list(dataset.batches(split, 65536).epoch(0))
    users, items = (np.concatenate([b.inputs[i].numpy() for b in batches]) for i in (0, 1))
    return users, items, np.concatenate([b.target.numpy() for b in batches])


_Biases = tuple[float, np.ndarray, np.ndarray]


def _fit_biases(
    dataset: Dataset, users: np.ndarray, items: np.ndarray, target: np.ndarray, penalty: float
) -> _Biases:
    mean = float(target.mean())
    b_user = np.zeros(int(dataset.facts["num_users"]))
    b_item = np.zeros(int(dataset.facts["num_items"]))
    for _ in range(20):
        for bias, index, other in (
            (b_item, items, b_user[users]),
            (b_user, users, b_item[items]),
        ):
            residual = target - mean - other
            total = np.bincount(index, residual, len(bias))
            bias[:] = total / (np.bincount(index, minlength=len(bias)) + penalty)
            other = bias[index]
    return mean, b_user, b_item


def _rmse(fit: _Biases, users: np.ndarray, items: np.ndarray, target: np.ndarray) -> float:
    mean, b_user, b_item = fit
    predicted = np.clip(mean + b_user[users] + b_item[items], 1, 5)
    return float(np.sqrt(np.mean((predicted - target) ** 2)))


BASELINES: dict[str, tuple[str, Callable[[Dataset], Scores]]] = {
    "mnist-cnn": ("logistic regression on pixels", logistic_regression),
    "fashion-mnist-cnn": ("", lambda _: {}),
    "reuters-lstm": ("TF-IDF and logistic regression", tf_idf),
    "chinese-reviews-lstm": ("TF-IDF and logistic regression", tf_idf),
    "breast-cancer-mlp": ("logistic regression", logistic_regression),
    "diabetes-mlp": ("ridge regression", ridge),
    "movielens-mf": ("biases alone", biases_alone),
}
