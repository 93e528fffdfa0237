"""A small chart of counts for a terminal. Pure."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

WIDTH: Final = 72
HEIGHT: Final = 6
EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
ABOVE, WITHIN = "red", "cyan"


def columns(values: Sequence[float], width: int = WIDTH) -> list[float]:
    """At most `width` values: of several buckets in one column the largest, so that no peak is lost."""
    width = min(width, len(values))
    return [max(values[nth * len(values) // width : (nth + 1) * len(values) // width]) for nth in range(width)]


def chart(negatives: Sequence[int], upper: Sequence[int], *, width: int = WIDTH, height: int = HEIGHT) -> Text:
    """Bars from the oldest bucket to the newest; red where one lies above the usual range."""
    bars, bounds = columns(negatives, width), columns(upper, width)
    top = max(*bars, 1)
    drawn = Text()
    for row in range(height - 1, -1, -1):
        drawn.append(f"{top:>6.0f} ┤" if row == height - 1 else f"{0:>6} ┤" if row == 0 else "       │", style="dim")
        for bar, bound in zip(bars, bounds, strict=True):
            filled = min(max(round(bar / top * height * 8) - row * 8, 0), 8)
            if row == 0 and bar > 0:
                filled = max(filled, 1)
            drawn.append(EIGHTHS[filled], style=ABOVE if bar > bound else WITHIN)
        drawn.append("\n")
    return drawn
