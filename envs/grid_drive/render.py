"""The picture of a GridDrive environment: the city from above."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trivium.envs.canvas import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    YELLOW,
    Colour,
    Picture,
    blank,
    disc,
    rectangle,
    text,
    text_width,
)
from trivium.envs.grid_drive.rules import CLOSED, VIEW, GridDriveRules

CELL = 40
HEADER = 44
_BLOCK: Colour = (176, 188, 172)
_STREET: Colour = (236, 236, 233)


def picture(
    rules: GridDriveRules,
    waits: npt.NDArray[np.uint8],
    time: int,
    cell: int,
    goal_cell: int,
    cars: Sequence[int],
    next_cars: Sequence[int],
) -> Picture:
    """Draw the city; `waits` `[LIGHT_PERIOD, N]` says when a cell may be entered, `time` is now."""
    side = rules.board_side
    image = blank(rules.side * CELL + HEADER, rules.side * CELL)
    text(image, 12, 12, "Grid drive", size=4)
    for row in range(rules.side):
        for column in range(rules.side):
            number = (row + VIEW) * side + column + VIEW
            has_light = waits[:, number].min() < waits[:, number].max()
            _cell(image, row, column, int(waits[time, number]), has_light)
    _flag(image, *_corner(goal_cell, side))
    for now, after in zip(cars, next_cars, strict=True):
        _car(image, _corner(now, side), _corner(after, side), ORANGE)
    _car(image, _corner(cell, side), _corner(cell, side), BLUE)
    return image


def _corner(cell: int, side: int) -> tuple[int, int]:
    row, column = divmod(cell, side)
    return (row - VIEW) * CELL + HEADER, (column - VIEW) * CELL


def _cell(image: Picture, row: int, column: int, wait: int, has_light: bool) -> None:
    top, left = row * CELL + HEADER, column * CELL
    closed = wait == CLOSED
    rectangle(image, top, left, CELL, CELL, _BLOCK if closed else _STREET)
    if closed and row % 2 != column % 2:  # a street that could be open
        rectangle(image, top + 14, left + 4, 12, CELL - 8, INK)
        for stripe in range(3):
            rectangle(image, top + 16, left + 7 + stripe * 10, 8, 5, YELLOW)
    elif has_light:
        disc(image, top + 9, left + 9, 7, RED if wait else GREEN)
    if has_light and wait:
        text(image, top + 24, left + 6, str(wait), RED, size=2)


def _flag(image: Picture, top: int, left: int) -> None:
    rectangle(image, top, left, CELL, CELL, GREEN)
    text(
        image, top + 13, left + (CELL - text_width("goal", 2)) / 2, "goal", (255, 255, 255), size=2
    )


def _car(image: Picture, now: tuple[int, int], after: tuple[int, int], colour: Colour) -> None:
    """A car, with a lamp on the side where it goes next."""
    top, left = now
    rectangle(image, top + 7, left + 7, CELL - 14, CELL - 14, colour)
    down, right = ((after[0] > top) - (after[0] < top)), ((after[1] > left) - (after[1] < left))
    if down or right:
        disc(image, top + CELL / 2 + 10 * down, left + CELL / 2 + 10 * right, 5, INK)
    else:
        disc(image, top + CELL / 2, left + CELL / 2, 6, (255, 255, 255))
