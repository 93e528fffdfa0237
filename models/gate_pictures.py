"""The pictures of a gate report: SVG inside the page, drawn by hand, coloured by its style sheet, light or dark."""

from collections.abc import Iterable
from typing import Final

from markupsafe import Markup, escape

from models.gate_record import Curve

WIDTH, HEIGHT = 260, 18  # of one line of a forest plot
EDGE = 8
SIDE, LEFT, BELOW = 250, 34, 30  # of a reliability picture


class Scale:
    """Differences in shares to places on a line, alike for all lines of a table, with zero in the middle."""

    def __init__(self, bounds: Iterable[float], *, least: float = 0.05) -> None:
        self.most = min(max((abs(bound) for bound in bounds), default=least), 1.0)
        self.most = max(self.most, least)

    def place(self, value: float) -> float:
        """Values beyond the scale lie on its edge."""
        share = max(-1.0, min(1.0, value / self.most))
        return round(WIDTH / 2 + share * (WIDTH / 2 - EDGE), 1)


def interval(scale: Scale, estimate: float, low: float, high: float, *, bound: float, tone: str, says: str) -> Markup:
    """One line of a forest plot: the interval, its estimate, zero, and the bound that decides.

    Args:
        tone: class of the style sheet: `good`, `bad` or `quiet`.
        says: what a person hears who does not see it.
    """
    middle = HEIGHT / 2
    at, begin, end = scale.place(estimate), scale.place(low), scale.place(high)
    return Markup(
        '<svg class="forest {tone}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="{says}"><line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="{height}"/>'
        '<line class="bound" x1="{bound}" x2="{bound}" y1="0" y2="{height}"/>'
        '<line class="span" x1="{begin}" x2="{end}" y1="{middle}" y2="{middle}"/>'
        '<line class="span" x1="{begin}" x2="{begin}" y1="5" y2="13"/>'
        '<line class="span" x1="{end}" x2="{end}" y1="5" y2="13"/>'
        '<rect class="dot" x="{left}" y="5" width="8" height="8"/></svg>'
    ).format(
        tone=tone,
        width=WIDTH,
        height=HEIGHT,
        says=says,
        zero=scale.place(0),
        bound=scale.place(bound),
        begin=begin,
        end=end,
        middle=middle,
        left=at - 4,
    )


def reliability_picture(champion: Curve, candidate: Curve, *, says: str, confidence: str, accuracy: str) -> Markup:
    """Accuracy over confidence of both; on the diagonal a score is worth what it says."""
    parts = [
        f'<svg class="curve" viewBox="0 0 {LEFT + SIDE + 8} {SIDE + BELOW + 8}" width="{LEFT + SIDE + 8}" '
        f'role="img" aria-label="{escape(says)}">',
        f'<rect class="frame" x="{LEFT}" y="4" width="{SIDE}" height="{SIDE}"/>',
        f'<line class="zero" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>',
    ]
    for tick in TICKS:
        parts.append(f'<text x="{LEFT - 4}" y="{_y(tick) + 4}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<text x="{_x(tick)}" y="{SIDE + 18}" text-anchor="middle">{tick:g}</text>')
    parts += [
        f'<text x="{LEFT + SIDE / 2}" y="{SIDE + 32}" text-anchor="middle">{escape(confidence)}</text>',
        f'<text x="{LEFT + 6}" y="18">{escape(accuracy)}</text>',
    ]
    for name, curve in (("champion", champion), ("candidate", candidate)):
        places = [(_x(at), _y(right)) for at, right in zip(curve.confidence, curve.accuracy, strict=True)]
        parts.append(f'<polyline class="{name}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>')
        parts += [f'<circle class="{name}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in places]
    return Markup("".join(parts) + "</svg>")  # noqa: S704  # numbers of ours, and words that are escaped above


TICKS: Final = (0.0, 0.5, 1.0)


def _x(share: float) -> float:
    return round(LEFT + SIDE * share, 1)


def _y(share: float) -> float:
    return round(4 + SIDE * (1 - share), 1)
