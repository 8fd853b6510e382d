"""The picture of a MachineCare environment: a machine per column, its wear, and the crew."""

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
    disc,
    rectangle,
    text,
    text_width,
)
from trivium.envs.machine_care.rules import MachineCareRules

HEIGHT, COLUMN = 420, 150
_TOP, _FULL = 90, 200  # top of the gauges, and their height


def picture(rules: MachineCareRules, levels: Sequence[int], last_action: int) -> Picture:
    """Draw the machines; `last_action` is the machine cared for in the last step, 0 for none."""
    image = blank(HEIGHT, max(COLUMN * rules.num_machines, 420))
    text(image, 20, 20, "Machine care", size=4)
    for machine, level in enumerate(levels):
        left = machine * COLUMN + 40
        _gauge(image, rules, left, level)
        label = f"M{machine}"
        text(image, _TOP + _FULL + 12, left + 35 - text_width(label, 4) / 2, label, size=4)
        state = "broken" if level == rules.broken else f"wear {level}/{rules.broken}"
        text(image, _TOP + _FULL + 42, left + 35 - text_width(state, 2) / 2, state, GREY, size=2)
        if machine + 1 == last_action:
            disc(image, _TOP + _FULL + 85, left + 35, 20, BLUE)
            text(image, _TOP + _FULL + 80, left + 35 - text_width("crew", 2) / 2, "crew", PALE, 2)
    return image


def _gauge(image: Picture, rules: MachineCareRules, left: float, level: int) -> None:
    """A column of lamps, one per level; the worn ones are lit from the bottom."""
    rectangle(image, _TOP - 6, left - 6, _FULL + 12, 82, INK)
    step = _FULL / rules.broken
    share = level / rules.broken
    lit = GREEN if share < 0.5 else ORANGE if share < 1.0 else RED
    for lamp in range(rules.broken):
        top = _TOP + _FULL - (lamp + 1) * step
        rectangle(image, top + 2, left, step - 4, 70, lit if lamp < level else PALE)
