"""Pictures drawn with NumPy alone: rectangles, discs and a small font.

A picture is uint8 `[height, width, 3]`. Coordinates are pixels from the top left, rows first;
what lies outside is cut off.
"""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

PAPER: Colour = (250, 250, 247)
INK: Colour = (38, 44, 56)
PALE: Colour = (221, 224, 228)
GREY: Colour = (140, 147, 158)
BLUE: Colour = (57, 106, 177)
ORANGE: Colour = (225, 129, 44)
GREEN: Colour = (62, 150, 81)
RED: Colour = (204, 37, 41)
YELLOW: Colour = (240, 196, 25)

_GLYPH_COLUMNS = 3
# Five rows of three pixels per character; an octal digit is a row.
_FONT = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717",
    "6": "74757", "7": "71122", "8": "75757", "9": "75717", "A": "25755", "B": "65656",
    "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
    "O": "75557", "P": "65644", "Q": "25563", "R": "65655", "S": "34216", "T": "72222",
    "U": "55557", "V": "55552", "W": "55775", "X": "55255", "Y": "55222", "Z": "71247",
    ".": "00002", ",": "00024", ":": "02020", "-": "00700", "+": "02720", "/": "11244",
    "%": "51245", "=": "07070", "(": "12221", ")": "42224", " ": "00000",
}  # fmt: skip


def blank(height: int, width: int, colour: Colour = PAPER) -> Picture:
    """A picture of one colour."""
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = colour
    return picture


def rectangle(
    picture: Picture, top: float, left: float, height: float, width: float, colour: Colour
) -> None:
    """Fill a rectangle."""
    rows = slice(max(round(top), 0), max(round(top + height), 0))
    columns = slice(max(round(left), 0), max(round(left + width), 0))
    picture[rows, columns] = colour


def disc(picture: Picture, row: float, column: float, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    top, left = max(int(row - radius), 0), max(int(column - radius), 0)
    part = picture[top : int(row + radius) + 2, left : int(column + radius) + 2]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    part[(rows + top - row) ** 2 + (columns + left - column) ** 2 <= radius**2] = colour


def text(
    picture: Picture, top: float, left: float, words: str, colour: Colour = INK, size: int = 3
) -> None:
    """Write capitals, digits and `. , : - + / % = ( )`; a pixel of the font is `size` pixels."""
    column = round(left)
    for character in words.upper():
        glyph = np.array([[int(row) >> 2, int(row) >> 1, int(row)] for row in _FONT[character]]) & 1
        for i, j in np.argwhere(glyph):
            rectangle(picture, round(top) + i * size, column + j * size, size, size, colour)
        column += (_GLYPH_COLUMNS + 1) * size


def text_width(words: str, size: int = 3) -> int:
    """Pixels that `text` takes in a row; its height is 5 times `size`."""
    return (len(words) * (_GLYPH_COLUMNS + 1) - 1) * size
