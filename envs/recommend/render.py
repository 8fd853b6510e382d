"""The picture of a Recommend environment: hidden interests, the slate, the click, the patience."""

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
from trivium.envs.recommend.rules import NUM_KINDS, NUM_LEVELS, RecommendRules

HEIGHT = 440
_COLUMN, _FLOOR, _STEP = 80, 270, 11


def picture(
    rules: RecommendRules,
    taste: Sequence[int],
    bored: Sequence[int],
    slate: Sequence[int],
    choice: int | None,
    patience: int,
) -> Picture:
    """Draw a column per topic; `slate` is what was shown last and `choice` the item clicked."""
    image = blank(HEIGHT, max(_COLUMN * rules.num_topics + 40, 480))
    text(image, 20, 20, "Recommend", size=4)
    text(image, 50, 20, "hidden interest of the user by topic", GREY, size=2)
    for topic, level in enumerate(taste):
        left = 30 + topic * _COLUMN
        interest = max(level - bored[topic], 0)
        rectangle(
            image, _FLOOR - (NUM_LEVELS - 1) * _STEP, left, (NUM_LEVELS - 1) * _STEP, 60, PALE
        )
        rectangle(image, _FLOOR - level * _STEP, left, level * _STEP, 60, (178, 200, 226))
        rectangle(image, _FLOOR - interest * _STEP, left, interest * _STEP, 60, BLUE)
        label = f"T{topic}"
        text(image, _FLOOR + 10, left + 30 - text_width(label) / 2, label)
        for kind, name in enumerate(("solid", "catchy")):
            _item(image, left, kind, name, NUM_KINDS * topic + kind in slate,
                  choice == NUM_KINDS * topic + kind)  # fmt: skip
    text(image, HEIGHT - 46, 20, f"patience {patience}/{rules.patience}", size=3)
    for step in range(rules.patience):
        colour = GREEN if step < patience else PALE
        rectangle(image, HEIGHT - 24, 20 + step * 24, 12, 20, colour)
    if slate:
        words, colour = ("click", GREEN) if choice is not None else ("no click", RED)
        text(image, HEIGHT - 46, image.shape[1] - 150, words, colour, size=4)
    return image


def _item(
    image: Picture, left: float, kind: int, name: str, is_shown: bool, is_clicked: bool
) -> None:
    """The place of an item: empty, on the slate, or clicked."""
    top = _FLOOR + 36 + kind * 38
    rectangle(image, top, left, 30, 60, GREEN if is_clicked else ORANGE if is_shown else PALE)
    colour = INK if is_shown else GREY
    text(image, top + 10, left + 30 - text_width(name, 2) / 2, name, colour, size=2)
