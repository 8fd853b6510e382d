"""How quantities are written for people: the same on the console, in the report and in `why`."""

import math


def number(value: object) -> str:
    """Four decimals for measured values, fewer from 100 on; whole ones whole; `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "not finite"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}"
    if value.is_integer() and abs(value) >= 100:
        return f"{value:,.0f}"
    decimals = 4 if abs(value) < 100 else 2 if abs(value) < 10_000 else 1
    return f"{value:,.{decimals}f}"


def duration(seconds: float | None) -> str:
    """`4.2 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def age(seconds: float | None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `12 d ago`."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return "just now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    raise AssertionError(seconds)


def size(num_bytes: float) -> str:
    """`512 B`, `1.4 MB`, `12 GB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if num_bytes < 1000 or unit == "TB":
            break
        num_bytes /= 1000
    return (
        f"{num_bytes:.0f} {unit}" if unit == "B" or num_bytes >= 10 else f"{num_bytes:.1f} {unit}"
    )


def plural(count: int, word: str) -> str:
    """`1 epoch`, `3 epochs`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
