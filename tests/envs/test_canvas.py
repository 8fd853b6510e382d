import numpy as np

from trivium.envs.canvas import INK, PAPER, blank, disc, rectangle, text, text_width


def inked(picture: np.ndarray) -> np.ndarray:
    return (picture == INK).all(axis=-1)


def test_a_rectangle_is_cut_at_the_edges() -> None:
    picture = blank(4, 5)
    rectangle(picture, -1, 3, 3, 9, INK)
    assert inked(picture).tolist() == [[False] * 3 + [True] * 2] * 2 + [[False] * 5] * 2
    assert tuple(picture[3, 0]) == PAPER


def test_a_disc_is_round_and_cut_at_the_edges() -> None:
    picture = blank(9, 9)
    disc(picture, 4, 4, 2, INK)
    assert inked(picture).sum(axis=1).tolist() == [0, 0, 1, 3, 5, 3, 1, 0, 0]
    disc(picture, 0, 0, 1, INK)
    assert inked(picture)[:2, :2].tolist() == [[True, True], [True, False]]


def test_text_takes_the_width_it_says() -> None:
    picture = blank(5, 11)
    text(picture, 0, 0, "1l-", INK, size=1)
    shown = ["".join(".#"[dot] for dot in row) for row in inked(picture).tolist()]
    assert shown == [
        ".#..#......",
        "##..#......",
        ".#..#...###",
        ".#..#......",
        "###.###....",
    ]
    assert text_width("1l-", size=1) == 11
