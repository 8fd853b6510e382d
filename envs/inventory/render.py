"""The picture of an Inventory environment: stock, orders on their way, and the last period."""

from collections.abc import Sequence

from trivium.envs.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    RED,
    Picture,
    blank,
    rectangle,
    text,
    text_width,
)
from trivium.envs.inventory.rules import InventoryRules

HEIGHT, WIDTH = 420, 600
_FLOOR, _FULL = 350, 260  # bottom of the bars, and the height of a bar of `capacity`


def picture(
    rules: InventoryRules, stock: int, pipeline: Sequence[int], period: tuple[int, int, int]
) -> Picture:
    """Draw bars of stock and orders; `period` is the last order, demand and unmet demand."""
    image = blank(HEIGHT, WIDTH)
    text(image, 20, 20, "Inventory", size=4)
    rectangle(image, _FLOOR, 20, 3, WIDTH - 40, INK)
    rectangle(image, _FLOOR - _FULL, 20, 2, WIDTH - 40, PALE)
    text(image, _FLOOR - _FULL - 18, 20, f"capacity {rules.capacity}", GREY, size=2)
    _bar(image, rules, 90, 90, stock, "stock" if stock >= 0 else "waiting", BLUE)
    spacing = 130 / max(len(pipeline), 2)
    for periods, units in enumerate(pipeline):
        centre = 190 + spacing * (periods + 0.5)
        _bar(image, rules, centre, spacing * 0.7, units, f"+{periods}", ORANGE)
    text(image, _FLOOR + 40, 190, "arriving", GREY)
    order, demand, unmet = period
    _bar(image, rules, 390, 45, order, "order", GREY)
    _bar(image, rules, 460, 45, demand - unmet, "met", GREEN)
    _bar(image, rules, 530, 45, unmet, "unmet", RED)
    text(image, _FLOOR + 40, 390, "last period", GREY)
    return image


def _bar(
    image: Picture,
    rules: InventoryRules,
    centre: float,
    width: float,
    units: int,
    label: str,
    colour: tuple[int, int, int],
) -> None:
    height = min(abs(units), rules.capacity) * _FULL / rules.capacity
    rectangle(
        image, _FLOOR - height, centre - width / 2, height, width, colour if units > 0 else RED
    )
    number = str(units)
    text(image, _FLOOR - height - 20, centre - text_width(number) / 2, number)
    text(image, _FLOOR + 14, centre - text_width(label) / 2, label)
