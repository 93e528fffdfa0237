"""Small curves, drawn as SVG in the page: no script, and the figures stand beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

WIDTH, HEIGHT = 240.0, 48.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One measure over time, in a box of `WIDTH` by `HEIGHT`.

    Attributes:
        points: of an SVG polyline, `x,y` with spaces between.
        bound: the height of the threshold line.
        last_x, last_y: where the newest value is.
    """

    name: str
    points: str
    bound: float
    last_x: float
    last_y: float
    value: float
    threshold: float
    first_at: datetime
    last_at: datetime


def curves_of(figures: Iterable[tuple[str, datetime, float, float]]) -> list[Curve]:
    """A curve for each name of `(name, at, value, threshold)`, in time; each has a scale of its own from 0 on."""
    found = []
    for name, group in groupby(sorted(figures, key=lambda one: (one[0], one[1])), key=lambda one: one[0]):
        rows = list(group)
        top = max(max(value, threshold) for _, _, value, threshold in rows) or 1.0
        first, last = rows[0][1], rows[-1][1]
        length = (last - first).total_seconds() or 1.0
        places = [
            (WIDTH * (at - first).total_seconds() / length, HEIGHT * (1 - max(0.0, value) / top))
            for _, at, value, _ in rows
        ]
        found.append(
            Curve(
                name,
                " ".join(f"{x:.1f},{y:.1f}" for x, y in places),
                HEIGHT * (1 - rows[-1][3] / top),
                *places[-1],
                value=rows[-1][2],
                threshold=rows[-1][3],
                first_at=first,
                last_at=last,
            )
        )
    return found
