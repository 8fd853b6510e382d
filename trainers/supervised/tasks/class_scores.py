"""Scores of predicted classes: over all rows, per class, and which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trivium.platform.exhibit import Exhibit, Matrix, Table

MATRIX_CLASSES = 40
"""A confusion matrix of more classes cannot be read; the most frequent confusions are listed."""

Classes = NDArray[np.int64]


def class_scores(
    truth: Classes, predicted: Classes, areas: Sequence[float | None]
) -> dict[str, float]:
    """Accuracy; precision, recall and F1 over the classes that occur; mean of the ROC areas."""
    from sklearn.metrics import precision_recall_fscore_support

    scores = {"accuracy": float((truth == predicted).mean())}
    for average in ("macro", "weighted"):
        averaged = precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=0
        )
        for name, score in zip(("precision", "recall", "f1"), averaged, strict=False):
            scores[f"{name}_{average}"] = float(score)
    defined = [area for area in areas if area is not None]
    if defined:
        scores["roc_auc"] = float(np.mean(defined))
    return scores


def class_table(
    names: Sequence[str], truth: Classes, predicted: Classes, areas: Sequence[float | None]
) -> Table:
    """Rows, precision, recall, F1 and ROC area of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, rows = precision_recall_fscore_support(
        truth, predicted, labels=list(range(len(names))), zero_division=0
    )
    return Table(
        "Per class",
        ("class", "rows", "precision", "recall", "F1", "ROC AUC"),
        tuple(
            (name, int(n), float(p), float(r), float(f), "" if area is None else area)
            for name, n, p, r, f, area in zip(
                names, rows, precision, recall, f1, areas, strict=True
            )
        ),
    )


def confusions(names: Sequence[str], truth: Classes, predicted: Classes) -> Exhibit:
    """The confusion matrix, or of many classes the pairs that are confused most often."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(truth, predicted, labels=list(range(len(names))))
    if len(names) <= MATRIX_CLASSES:
        values = tuple(tuple(map(float, row)) for row in counts)
        return Matrix("Confusion matrix", tuple(names), tuple(names), values)
    np.fill_diagonal(counts, 0)
    largest = np.argsort(-counts, axis=None, kind="stable")[:MATRIX_CLASSES]
    pairs = [(int(i) // len(names), int(i) % len(names)) for i in largest]
    return Table(
        "Most frequent confusions",
        ("truth", "prediction", "rows"),
        tuple((names[t], names[p], int(counts[t, p])) for t, p in pairs if counts[t, p]),
        note=f"{len(names)} classes are too many for a matrix.",
    )


def roc_areas(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> list[float | None]:
    """Area under the ROC curve of each class against the rest; None where it is not defined.

    Of two classes both have the same area.
    """
    from sklearn.metrics import roc_auc_score

    areas: list[float | None] = []
    for index in range(probabilities.shape[1]):
        is_class = truth == index
        if not is_class.any() or is_class.all():
            areas.append(None)
        elif len(areas) == 1 and probabilities.shape[1] == 2:
            areas.append(areas[0])
        else:
            areas.append(float(roc_auc_score(is_class, probabilities[:, index])))
    return areas
