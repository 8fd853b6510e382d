"""What the curves and the scores warn of: rules that each see one sign of bad learning."""

from collections.abc import Callable
from itertools import pairwise

from trivium.platform.exhibit import Matrix
from trivium.platform.phrasing import number
from trivium.platform.why.endings import smaller
from trivium.platform.why.evidence import Evidence, Finding

_RETURNS = ("evaluation/return_mean", "train/return_mean", "episode/return_mean")


def constant_prediction(e: Evidence) -> Finding | None:
    """A classifier that gives every row the same class, or is no better than that."""
    for exhibit in e.run.exhibits:
        if not isinstance(exhibit, Matrix) or exhibit.column_axis != "prediction":
            continue
        total = sum(map(sum, exhibit.values))
        if len(exhibit.row_labels) != len(exhibit.column_labels) or total <= 0:
            continue
        columns = [sum(row[j] for row in exhibit.values) for j in range(len(exhibit.column_labels))]
        largest = max(range(len(columns)), key=lambda j: columns[j])
        right = sum(exhibit.values[i][i] for i in range(len(columns)))
        majority = max(map(sum, exhibit.values)) / total
        if columns[largest] >= 0.995 * total:
            return Finding(
                f"It predicts {exhibit.column_labels[largest]!r} for nearly every row, so it has "
                f"learned nothing but the most frequent answer (accuracy {number(right / total)}).",
                _other_lr(e),
            )
        if right / total <= majority:
            return Finding(
                f"Its accuracy {number(right / total)} is not above {number(majority)}, the share "
                f"of the most frequent class.",
                _other_lr(e),
            )
    return None


def no_better_than_the_mean(e: Evidence) -> Finding | None:
    """A regression whose R2 is not above 0."""
    r2 = e.run.result.get("metrics", {}).get("test/r2")
    if not isinstance(r2, int | float) or r2 > 0.02:
        return None
    return Finding(
        f"R2 on the test split is {number(float(r2))}: no better than always predicting the mean. "
        f"Are the inputs standardized?",
        _other_lr(e),
    )


def diverged(e: Evidence) -> Finding | None:
    """The loss rose far above its lowest value, on the training data itself."""
    loss = e.curve("train/loss")
    values = [v for v in loss.y if v is not None]
    if e.is_rl or len(values) < 3:
        return None
    lowest = min(range(len(values)), key=lambda i: values[i])
    if values[lowest] <= 0 or values[-1] < 3 * values[lowest] or values[-1] < values[0]:
        return None
    return Finding(
        f"It diverged: training loss rose from {number(values[lowest])} at "
        f"{e.place(loss.x[lowest])} to {number(values[-1])}.",
        _smaller_lr(e),
    )


def overfits(e: Evidence) -> Finding | None:
    """Validation loss rises while training loss still falls."""
    validation, train = e.curve("validation/loss"), e.curve("train/loss")
    values = [v for v in validation.y if v is not None]
    if e.is_rl or len(values) < 4:
        return None
    best = min(range(len(values)), key=lambda i: values[i])
    if len(values) - 1 - best < 2 or values[-1] <= values[best] * 1.1:
        return None
    then = [y for x, y in zip(train.x, train.y, strict=True) if x <= validation.x[best]]
    if not then or then[-1] is None or train.y[-1] is None or train.y[-1] >= then[-1]:
        return None
    path, _ = e.setting("algorithm.early_stopping")
    decay_path, decay = e.setting("algorithm.optimizer.weight_decay")
    command = e.train_with("algorithm.early_stopping.patience", 3)
    if path and decay_path:
        command = e.train_with(decay_path, f"{max(10 * decay, 1e-4):g}")
    return Finding(
        f"It overfits since {e.place(validation.x[best])}: validation loss rose from "
        f"{number(values[best])} to {number(values[-1])} while training loss fell from "
        f"{number(then[-1])} to {number(train.y[-1])}; stop earlier, regularize more, or augment.",
        command,
    )


def gradients_are_ill(e: Evidence) -> Finding | None:
    """The trainer saw gradients vanish or explode, and said of which layers."""
    mark = "gradients: "
    said = [line.removeprefix(mark) for line in e.log.splitlines() if line.startswith(mark)]
    return Finding(f"{said[-1][:1].upper()}{said[-1][1:]}.") if said else None


def loss_does_not_move(e: Evidence) -> Finding | None:
    """Training loss stays where it began."""
    loss = e.curve("train/loss")
    values = [v for v in loss.y if v is not None]
    if e.is_rl or len(values) < 3 or values[0] == 0:
        return None
    if max(values) - min(values) > 0.02 * abs(values[0]):
        return None
    return Finding(
        f"Training loss has not moved: {number(values[0])} at {e.place(loss.x[0])}, "
        f"{number(values[-1])} at {e.place(loss.x[-1])}. The learning rate may be far too small or "
        f"too large, or the inputs are not scaled.",
        _other_lr(e),
    )


def still_improving(e: Evidence) -> Finding | None:
    """The run ended while validation loss was still falling: it may want more epochs."""
    loss = e.curve("validation/loss")
    values = [v for v in loss.y if v is not None]
    if e.is_rl or e.status != "finished" or len(values) < 4:
        return None
    quarter = max(2, len(values) // 4)
    before, after = min(values[:-quarter]), min(values[-quarter:])
    if values[-1] != after or before <= 0 or (before - after) / before < 0.1:
        return None
    path, epochs = e.setting("algorithm.epochs")
    return Finding(
        f"Validation loss was still falling when it ended (from {number(before)} to "
        f"{number(after)} over the last {quarter} reports): longer training may score better.",
        e.train_with(path, 2 * epochs) if isinstance(epochs, int) else "",
    )


def return_is_flat(e: Evidence) -> Finding | None:
    """Reinforcement learning that no longer (or never) improves, short of its goal."""
    name = next((n for n in _RETURNS if len(e.curve(n).y) >= 8), None)
    if name is None:
        return None
    line = e.curve(name)
    smooth = _smooth([v for v in line.y if v is not None])
    _, goal = e.setting("stop.return_mean")
    if isinstance(goal, int | float) and _best_return(e) >= goal:
        return None
    spread = max(smooth) - min(smooth)
    best = 0
    for i, value in enumerate(smooth):
        if value > smooth[best] + 0.02 * spread:
            best = i
    flat_for = len(smooth) - 1 - best
    rose = smooth[best] - smooth[0]
    noise = _noise([v for v in line.y if v is not None])
    if rose <= 2 * noise and rose < 0.1 * max(abs(smooth[0]), 1e-9):
        return Finding(
            f"The return never rose: {number(smooth[0])} at the start, {number(smooth[-1])} at "
            f"{e.place(line.x[-1])}. Look at the scale of the rewards, the exploration and the "
            f"learning rate.",
            _other_lr(e),
        )
    if flat_for < max(5, 0.4 * len(smooth)) or not isinstance(goal, int | float):
        return None
    return Finding(
        f"The return is flat since {e.place(line.x[best])}: {number(smooth[best])} then, "
        f"{number(smooth[-1])} at the end, short of the goal {number(float(goal))}.",
        _other_lr(e),
    )


def return_collapsed(e: Evidence) -> Finding | None:
    """The policy was good and lost it."""
    name = next((n for n in _RETURNS if len(e.curve(n).y) >= 8), None)
    if name is None:
        return None
    line = e.curve(name)
    smooth = _smooth([v for v in line.y if v is not None])
    best = max(range(len(smooth)), key=lambda i: smooth[i])
    gained = smooth[best] - smooth[0]
    noise = _noise([v for v in line.y if v is not None])
    if gained <= 4 * noise or smooth[-1] > smooth[best] - 0.5 * gained:
        return None
    return Finding(
        f"The policy collapsed: its return fell from {number(smooth[best])} at "
        f"{e.place(line.x[best])} to {number(smooth[-1])} at {e.place(line.x[-1])}; smaller steps "
        f"hold it (learning rate, clip range, target KL).",
        _smaller_lr(e),
    )


SIGNS: tuple[Callable[[Evidence], Finding | None], ...] = (
    diverged,
    gradients_are_ill,
    constant_prediction,
    no_better_than_the_mean,
    loss_does_not_move,
    overfits,
    return_collapsed,
    return_is_flat,
    still_improving,
)


def _smaller_lr(e: Evidence) -> str:
    path, lr = e.setting("algorithm.optimizer.lr", "algorithm.lr")
    return e.train_with(path, f"{smaller(lr):g}") if isinstance(lr, int | float) else ""


def _other_lr(e: Evidence) -> str:
    """Ten times smaller where the rate is large, ten times larger where it is small."""
    path, lr = e.setting("algorithm.optimizer.lr", "algorithm.lr")
    if not isinstance(lr, int | float):
        return ""
    return e.train_with(path, f"{smaller(lr) if lr >= 1e-3 else lr * 10:g}")


def _best_return(e: Evidence) -> float:
    scored = [v for name in _RETURNS for v in e.curve(name).y if v is not None]
    final = e.run.result.get("metrics", {}).get("test/return_mean")
    return max([*scored, *([final] if isinstance(final, int | float) else [])])


def _smooth(values: list[float]) -> list[float]:
    """Mean of each value and the two before it."""
    return [
        sum(values[max(0, i - 2) : i + 1]) / len(values[max(0, i - 2) : i + 1])
        for i in range(len(values))
    ]


def _noise(values: list[float]) -> float:
    """Mean step between neighbours: what changes without any trend."""
    steps = [abs(b - a) for a, b in pairwise(values)]
    return sum(steps) / len(steps) if steps else 0.0
