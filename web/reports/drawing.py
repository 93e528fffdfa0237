"""Pictures of a report as SVG elements: light paper, attributes only, no style and no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 680.0
HEIGHT: Final = 200.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 26.0, 24.0
ALL, NEGATIVE, INK, QUIET = "#b9cbe3", "#c2412d", "#334155", "#d5dbe3"
MOST_TICKS: Final = 4
GAP: Final = 0.18  # of a column


@dataclass(frozen=True, slots=True)
class Column:
    """One hour or day; an empty label is not written."""

    label: str
    total: int
    negative: int


def columns_svg(columns: Sequence[Column], *, title: str, all_name: str, negative_name: str) -> Markup:
    """Voices as columns, the negative ones at their foot."""
    step = _step(max([one.total for one in columns] + [1]))
    top = -(-max([one.total for one in columns] + [1]) // step) * step
    width = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)

    def y(count: float) -> float:
        return HEIGHT - BOTTOM - count / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="11" fill="{INK}">',
        f'<rect x="{LEFT:g}" y="6" width="10" height="10" fill="{ALL}"/>'
        f'<text x="{LEFT + 14:g}" y="15">{escape(all_name)}</text>',
        f'<rect x="{LEFT + 150:g}" y="6" width="10" height="10" fill="{NEGATIVE}"/>'
        f'<text x="{LEFT + 164:g}" y="15">{escape(negative_name)}</text>',
    ]
    for count in range(0, top + 1, step):
        parts.append(
            f'<line x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y(count):.1f}" y2="{y(count):.1f}" stroke="{QUIET}"/>'
            f'<text x="{LEFT - 5:g}" y="{y(count) + 4:.1f}" text-anchor="end">{count:,}</text>'
        )
    for nth, one in enumerate(columns):
        x, w = LEFT + (nth + GAP / 2) * width, width * (1 - GAP)
        for count, colour in ((one.total, ALL), (one.negative, NEGATIVE)):
            if count:
                parts.append(
                    f'<rect x="{x:.1f}" y="{y(count):.1f}" width="{w:.1f}" '
                    f'height="{HEIGHT - BOTTOM - y(count):.1f}" fill="{colour}"/>'
                )
        if one.label:
            parts.append(
                f'<text x="{x + w / 2:.1f}" y="{HEIGHT - 8:g}" text-anchor="middle">{escape(one.label)}</text>'
            )
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # our own, and what is not is escaped above


def bar_svg(part: float, *, colour: str = ALL) -> Markup:
    """A share of a whole as a bar; said beside it, so hidden from readers of the page."""
    width = min(max(part, 0.0), 1.0) * 100
    return Markup(  # noqa: S704  # figures only
        '<svg viewBox="0 0 100 8" width="100" height="8" aria-hidden="true">'
        f'<rect width="100" height="8" fill="#eef2f6"/><rect width="{width:.1f}" height="8" fill="{colour}"/></svg>'
    )


def _step(highest: int) -> int:
    """1, 2 or 5 times a power of ten, so that few lines reach the highest column."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if highest / (step * power) <= MOST_TICKS:
                return step * power
        power *= 10
