"""Classification's numbers by hand and against scikit-learn; what it shows."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from trivium.platform.errors import UserError
from trivium.platform.exhibit import Matrix, Note, Pictures, Table
from trivium.platform.settings import build, read_component
from trivium.trainers.supervised.tasks.classification import Classification
from trivium.trainers.supervised.tasks.task import default_task, metric_named

REGISTRY = "trivium.trainers.registry:TASKS"
NAMES = ("cat", "dog", "owl")


def task(
    names: tuple[str, ...] = NAMES, counts: tuple[int, ...] = (6, 3, 1), **settings: Any
) -> Classification:
    checked = read_component({"name": "classification", **settings}, REGISTRY)
    made = build(checked, REGISTRY, {"class_names": names, "class_counts": counts})
    assert isinstance(made, Classification)
    return made


def logits(*probabilities: list[float]) -> torch.Tensor:
    return torch.tensor(probabilities).log()


OUTPUTS = logits([0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
TARGET = torch.tensor([0, 1])


def test_the_loss_is_the_mean_log_probability_of_the_truth() -> None:
    loss = task().loss(OUTPUTS, TARGET)
    assert float(loss) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    loss = task(label_smoothing=0.3).loss(OUTPUTS[:1], TARGET[:1])
    # 0.7 on the truth and 0.1 on each of the three classes.
    assert float(loss) == pytest.approx(0.8 * math.log(2) + 0.2 * math.log(4))


def test_outputs_in_half_precision_are_scored_in_full() -> None:
    loss = task().loss(OUTPUTS.bfloat16(), TARGET)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx((math.log(2) + math.log(4)) / 2, abs=0.01)


def test_balanced_weights_let_every_class_count_the_same() -> None:
    weighted = task(class_weights="balanced")
    assert weighted.weights is not None
    assert weighted.weights.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    expected = (10 / 18 * math.log(2) + 10 / 9 * math.log(4)) / 2
    assert float(weighted.loss(OUTPUTS, TARGET)) == pytest.approx(expected)


def test_a_weighted_loss_is_the_same_in_one_batch_and_in_two() -> None:
    weighted = task(class_weights=[1, 2.5, 4])
    halves = [weighted.loss(OUTPUTS[i : i + 1], TARGET[i : i + 1]) for i in (0, 1)]
    assert float(weighted.loss(OUTPUTS, TARGET)) == pytest.approx(float(sum(halves)) / 2)


def test_wrong_weights_are_told() -> None:
    def mistake(**settings: Any) -> str:
        with pytest.raises(UserError) as caught:
            task(counts=(6, 0, 1), **settings)
        return str(caught.value)

    assert mistake(class_weights=[1.0, 2.0]) == (
        "class_weights has 2 values and the data 3 classes (cat, dog, owl): give one for each, "
        "in this order"
    )
    assert mistake(class_weights="balanced") == (
        "class_weights: balanced needs a training row of each class; none of dog: give a list of "
        "weights, or drop the class"
    )
    assert mistake(class_weights=[1.0, -1.0, 1.0]) == (
        "class_weights must not be negative: [1.0, -1.0, 1.0]"
    )


def test_a_tally_adds_up_over_batches_and_over_workers() -> None:
    made = task()
    batches = [(OUTPUTS, TARGET), (OUTPUTS[:1], torch.tensor([2]))]
    tallies = []
    for outputs, target in batches:
        tally = made.new_tally()
        made.count(tally, outputs, target, made.loss(outputs, target))
        tallies.append(tally.packed())
    total = made.new_tally()
    total.load(tallies[0] + tallies[1])
    assert made.running_metrics(total) == pytest.approx(
        {"loss": (math.log(2) + 2 * math.log(4)) / 3, "accuracy": 1 / 3}
    )


def test_an_empty_tally_gives_zeros() -> None:
    assert task().running_metrics(task().new_tally()) == {"loss": 0.0, "accuracy": 0.0}


def test_an_evaluation_agrees_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (200,), generator=generator)
    outputs = torch.randn(200, 3, generator=generator)
    outputs[torch.arange(200), target] += 1.0
    found = task().evaluate(outputs, target, torch.arange(200), lambda row: f"row {row}").metrics
    truth, predicted = target.numpy(), outputs.argmax(1).numpy()
    expected = {
        "loss": sk.log_loss(truth, outputs.softmax(1).numpy()),
        "accuracy": sk.accuracy_score(truth, predicted),
        "roc_auc": sk.roc_auc_score(truth, outputs.softmax(1).numpy(), multi_class="ovr"),
    }
    for average in ("macro", "weighted"):
        expected |= {
            f"precision_{average}": sk.precision_score(truth, predicted, average=average),
            f"recall_{average}": sk.recall_score(truth, predicted, average=average),
            f"f1_{average}": sk.f1_score(truth, predicted, average=average),
        }
    assert found == pytest.approx(expected, abs=1e-6)
    assert list(found) == [m.name for m in Classification.metrics if m.name in found]


def test_a_binary_evaluation_by_hand() -> None:
    outputs = logits([0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2])
    target = torch.tensor([0, 1, 1, 0])
    made = task(names=("no", "yes"), counts=(2, 2))
    found = made.evaluate(outputs, target, torch.tensor([7, 3, 9, 5]), lambda row: f"text {row}")
    # Predicted no, no, yes, no; every yes has a higher score than every no.
    assert found.metrics["accuracy"] == 0.75
    assert found.metrics["roc_auc"] == 1.0
    assert found.metrics["f1_macro"] == pytest.approx((0.8 + 2 / 3) / 2)
    per_class, confusion, mistakes = found.exhibits
    assert isinstance(per_class, Table) and isinstance(confusion, Matrix)
    assert isinstance(mistakes, Table)
    assert per_class.columns == ("class", "rows", "precision", "recall", "F1", "ROC AUC")
    assert per_class.rows[0] == ("no", 2, pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 1.0)
    assert confusion.values == ((2.0, 0.0), (1.0, 1.0))
    assert mistakes.title == "Worst of 1 mistakes"
    assert mistakes.rows == ((3, "yes", "no", pytest.approx(-math.log(0.4)), "text 3"),)


def test_a_class_without_rows_is_left_out_of_the_area_and_said_so() -> None:
    outputs = logits([0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1])
    found = task().evaluate(outputs, torch.tensor([0, 1, 0]), torch.arange(3), str)
    assert found.metrics["roc_auc"] == 1.0
    assert found.exhibits[2] == Note("ROC AUC", "left out, as no row (or every row) is of it: owl")
    assert found.exhibits[-1] == Note("Worst mistakes", "All 3 rows are right.")


def test_the_worst_mistakes_of_images_are_pictures() -> None:
    image = np.zeros((4, 4), dtype=np.uint8)
    outputs = logits([0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.9, 0.05, 0.05])
    found = task().evaluate(outputs, torch.tensor([0, 0, 0]), torch.arange(3), lambda _: image)
    shown = found.exhibits[-1]
    assert isinstance(shown, Pictures)
    assert [p.caption for p in shown.pictures] == [
        "row 0: cat, predicted dog (loss 2.3)",
        "row 1: cat, predicted dog (loss 1.2)",
    ]


def test_many_classes_show_their_most_frequent_confusions() -> None:
    names = tuple(f"c{i}" for i in range(50))
    made = task(names=names, counts=(1,) * 50)
    target = torch.arange(50)
    outputs = torch.zeros(50, 50)
    outputs[target, target] = 1.0
    outputs[:3, 7] = 2.0  # c0, c1 and c2 are taken for c7
    target[1] = 0  # twice c0
    shown = made.evaluate(outputs, target, torch.arange(50), str).exhibits[1]
    assert shown == Table(
        "Most frequent confusions",
        ("truth", "prediction", "rows"),
        (("c0", "c7", 2), ("c2", "c7", 1)),
        note="50 classes are too many for a matrix.",
    )


def test_every_metric_has_a_meaning() -> None:
    for metric in Classification.metrics:
        assert metric.meaning
    accuracy = metric_named(Classification, "validation/accuracy")
    assert accuracy is not None and accuracy.larger_is_better
    assert metric_named(Classification, "validation/rmse") is None


def test_the_task_is_told_from_the_data() -> None:
    assert default_task("class", ["tokens"]) == "classification"
    assert default_task("real", ["dense"]) == "regression"
    assert default_task("real", ["id", "id"]) == "rating"
