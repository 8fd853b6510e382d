"""Simple colours for a YAML file in the report: keys, values, comments."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_LINE = re.compile(r"(?P<indent>\s*(?:- )*)(?:(?P<key>[^\s:#'\"][^:#]*):(?=\s|$))?(?P<value>.*)")


def highlight(text: str) -> "Markup":
    """`text` as HTML, all of it escaped; classes k (key), v (value), m (comment)."""
    from markupsafe import Markup

    return Markup("\n").join(map(_line, text.rstrip().splitlines()))


def _line(line: str) -> "Markup":
    from markupsafe import Markup

    if line.lstrip().startswith("#"):
        return Markup('<span class="m">{}</span>').format(line)
    match = _LINE.fullmatch(line)
    assert match is not None  # every part of the pattern may be empty
    html = Markup("{}").format(match["indent"])
    if match["key"] is not None:
        html += Markup('<span class="k">{}</span>:').format(match["key"])
    if match["value"].strip():
        html += Markup('<span class="v">{}</span>').format(match["value"])
    return html
