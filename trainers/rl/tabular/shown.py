"""What a learned table looks like: a grid with arrows, policy matrices, the most visited states."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trivium.platform.exhibit import Cell, Exhibit, Matrix, Picture, Pictures, Table, picture
from trivium.trainers.rl.tabular.states import States
from trivium.trainers.rl.tabular.table import QTable

Places = NDArray[np.intp]

MOST_ROWS = 30
MOST_CELLS = 400
CELL = 56  # pixels

# (dx, dy) of each action, y downwards.
_MOVES: dict[str, tuple[tuple[int, int], ...]] = {
    "FrozenLakeEnv": ((-1, 0), (0, 1), (1, 0), (0, -1)),
    "CliffWalkingEnv": ((0, -1), (1, 0), (0, 1), (-1, 0)),
}


def exhibits(table: QTable, states: States, env: Any) -> tuple[Exhibit, ...]:
    """What to show of `table`; `env` is one scalar copy of the environment it was learned on."""
    shown: list[Exhibit] = []
    base = env.unwrapped
    moves = _MOVES.get(type(base).__name__)
    if moves is not None:
        shown.append(_grid(table, base, moves))
    elif len(states.sizes) in (2, 3):
        shown.extend(_matrices(table, states))
    shown.append(_most_visited(table, states))
    return tuple(shown)


def _most_visited(table: QTable, states: States) -> Table:
    values, visits = table.mean, table.visits.sum(axis=(0, 2))
    order = np.argsort(-visits, kind="stable")[:MOST_ROWS]
    rows: list[tuple[Cell, ...]] = []
    for row in order[visits[order] > 0]:
        name = ", ".join(map(str, states.parts(int(row))))
        best = int(values[row].argmax())
        numbers = (round(float(v), 4) for v in values[row])
        rows.append((name, int(visits[row]), best, round(float(values[row, best]), 4), *numbers))
    seen = int((visits > 0).sum())
    return Table(
        "Q-table, most visited states",
        ("state", "visits", "greedy action", "value", *(f"Q({a})" for a in range(values.shape[1]))),
        tuple(rows),
        note=f"{len(rows)} of {seen} visited states ({states.num_states} in all)",
    )


def _matrices(table: QTable, states: States) -> list[Exhibit]:
    """Greedy action and value over the first two parts of the observation, for each third."""
    sizes = (*states.sizes, 1)[:3]
    visits = table.visits.sum(axis=(0, 2)).reshape(sizes)
    values = table.mean.reshape(*sizes, -1)
    shown: list[Exhibit] = []
    for third in range(sizes[2]):
        where = f", part 2 = {third}" if len(states.sizes) == 3 else ""
        seen = visits[:, :, third] > 0
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        if not 0 < len(rows) * len(columns) <= MOST_CELLS:
            continue
        part = values[:, :, third][np.ix_(rows, columns)]
        for title, numbers in (
            (f"Greedy action{where}", part.argmax(axis=2).astype(float)),
            (f"Value{where}", part.max(axis=2).round(3)),
        ):
            shown.append(_matrix(title, rows, columns, numbers))
    return shown


def _matrix(title: str, rows: Places, columns: Places, numbers: NDArray[np.float64]) -> Matrix:
    return Matrix(
        title,
        tuple(str(r) for r in rows),
        tuple(str(c) for c in columns),
        tuple(tuple(map(float, line)) for line in numbers),
        row_axis="part 0 of the observation",
        column_axis="part 1",
    )


def _grid(table: QTable, base: Any, moves: tuple[tuple[int, int], ...]) -> Pictures:
    height, width = _shape(base)
    values = table.mean.reshape(height, width, -1)
    visited = table.visits.sum(axis=(0, 2)).reshape(height, width) > 0
    return Pictures("Greedy policy and value", (_draw(values, visited, base, moves),))


def _shape(base: Any) -> tuple[int, int]:
    height, width = base.desc.shape if hasattr(base, "desc") else base.shape
    return int(height), int(width)


def _draw(
    values: NDArray[np.float64],
    visited: NDArray[np.bool_],
    base: Any,
    moves: tuple[tuple[int, int], ...],
) -> Picture:
    """One cell per state: the lighter, the higher its value; an arrow along the greedy action."""
    from PIL import Image, ImageDraw

    best = values.max(axis=2)
    low, high = (
        (float(best[visited].min()), float(best[visited].max())) if visited.any() else (0, 0)
    )
    height, width = best.shape
    image = Image.new("RGB", (width * CELL + 1, height * CELL + 1), "white")
    pen = ImageDraw.Draw(image)
    for y in range(height):
        for x in range(width):
            box = (x * CELL, y * CELL, (x + 1) * CELL, (y + 1) * CELL)
            place = _place(base, y, x)
            if not visited[y, x]:
                pen.rectangle(box, fill=_COLORS.get(place, (225, 225, 225)), outline="gray")
                pen.text((box[0] + 5, box[1] + 3), place, fill="black")
                continue
            share = (best[y, x] - low) / (high - low) if high > low else 1.0
            fill = tuple(int(a + share * (b - a)) for a, b in zip(_LOW, _HIGH, strict=True))
            pen.rectangle(box, fill=fill, outline="gray")
            color = "black" if share > 0.5 else "white"
            pen.text((box[0] + 5, box[1] + 3), place, fill=color)
            pen.text((box[0] + 5, box[3] - 14), f"{best[y, x]:.3g}", fill=color)
            _arrow(pen, box, moves[int(values[y, x].argmax())], color)
    caption = f"value from {low:.3g} (dark) to {high:.3g} (light); unmarked gray: never visited"
    return picture(np.asarray(image), caption)


_LOW, _HIGH = (40, 30, 90), (250, 240, 150)
_COLORS = {"hole": (120, 170, 210), "cliff": (150, 90, 60), "goal": (150, 210, 150)}


def _place(base: Any, y: int, x: int) -> str:
    if hasattr(base, "desc"):
        letter = base.desc[y, x].decode()
        return {"S": "start", "H": "hole", "G": "goal"}.get(letter, "")
    if base._cliff[y, x]:
        return "cliff"
    names = {int(base.start_state_index): "start", int(base.nS) - 1: "goal"}
    return names.get(y * base.shape[1] + x, "")


def _arrow(pen: Any, box: tuple[int, int, int, int], move: tuple[int, int], color: str) -> None:
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    dx, dy = move[0] * CELL * 0.2, move[1] * CELL * 0.2
    pen.line((cx - dx, cy - dy, cx + dx, cy + dy), fill=color, width=3)
    tip, wing = (cx + dx * 1.5, cy + dy * 1.5), CELL * 0.09
    side = (-move[1] * wing, move[0] * wing)
    back = (cx + dx * 0.7, cy + dy * 0.7)
    pen.polygon(
        (tip, (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])),
        fill=color,
    )
