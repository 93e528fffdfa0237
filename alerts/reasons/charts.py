"""The picture of one incident: negatives per bucket, the usual range around what was expected, and the incident.

SVG is written by hand: a few kilobytes, light or dark. PNG, for messages that show no SVG, is drawn by matplotlib.
Both bring their own paper, so they can be read on any background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from html import escape
from io import BytesIO
from typing import Any, Final, Literal

from alerts.reasons.chart_fonts import chinese_font
from alerts.reasons.chart_plan import ChartPlan, Language, plan

WIDTH, HEIGHT = 480.0, 270.0  # so that on a phone letters come to 11 pixels
LEFT, RIGHT, TOP, BOTTOM = 38.0, 10.0, 44.0, 26.0
LETTER: Final = 14


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they stand for."""

    paper: str
    ink: str
    quiet: str
    negatives: str
    band: str
    expected: str
    stretch: str


Theme = Literal["light", "dark"]

PALETTES: Final[dict[Theme, Palette]] = {
    "light": Palette("#ffffff", "#334155", "#d5dbe3", "#c2412d", "#b9cbe3", "#33609c", "#fbe3dd"),
    "dark": Palette("#161d24", "#c3cfdb", "#2b3641", "#ee7b66", "#2f4a6b", "#8fb8ea", "#3a1f1b"),
}
LIGHT: Final = PALETTES["light"]
LEGEND_PLACES: Final = (LEFT, LEFT + 82.0, LEFT + 240.0, LEFT + 340.0)
PNG_INCHES, PNG_DPI = (4.8, 2.7), 200


def chart_svg(
    body: Mapping[str, Any], *, language: Language = "en", zone: tzinfo = UTC, theme: Theme = "light"
) -> str | None:
    """The picture as an `svg` element, to be put into a page or a file; None where the evidence has no series."""
    chart = plan(body, language, zone)
    if chart is None:
        return None
    colours = PALETTES[theme]
    begin = _x(chart, chart.stretch)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'aria-label="{escape(chart.title)}" font-family="sans-serif" font-size="{LETTER}" fill="{colours.ink}">',
        f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="{colours.paper}"/>',
        f'<text x="{LEFT:g}" y="17" font-weight="600">{escape(chart.title)}</text>',
        *_svg_legend(chart, colours),
        f'<rect x="{begin:.1f}" y="{TOP:g}" width="{WIDTH - RIGHT - begin:.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM:g}" fill="{colours.stretch}"/>',
        f'<path d="{_svg_band(chart)}" fill="{colours.band}"/>',
        *_svg_axes(chart, colours),
        f'<path d="{_svg_steps(chart, chart.expected)}" fill="none" stroke="{colours.expected}" '
        'stroke-width="1.5" stroke-dasharray="5 3"/>',
        f'<path d="{_svg_steps(chart, chart.negatives)}" fill="none" stroke="{colours.negatives}" stroke-width="2"/>',
        "</svg>",
    ]
    return "".join(parts)


def _x(chart: ChartPlan, position: float) -> float:
    return LEFT + position / len(chart.negatives) * (WIDTH - LEFT - RIGHT)


def _y(chart: ChartPlan, count: float) -> float:
    return HEIGHT - BOTTOM - count / chart.top * (HEIGHT - TOP - BOTTOM)


def _corners(chart: ChartPlan, values: Sequence[float]) -> list[str]:
    """Both ends of each step; equal neighbours are one step."""
    corners, begin = [], 0
    for nth, value in enumerate(values):
        if nth + 1 == len(values) or values[nth + 1] != value:
            y = f"{_y(chart, value):.1f}"
            corners += [f"{_x(chart, begin):.1f} {y}", f"{_x(chart, nth + 1):.1f} {y}"]
            begin = nth + 1
    return corners


def _svg_steps(chart: ChartPlan, values: Sequence[float]) -> str:
    return "M" + "L".join(_corners(chart, values))


def _svg_band(chart: ChartPlan) -> str:
    return "M" + "L".join([*_corners(chart, chart.upper), *reversed(_corners(chart, chart.lower))]) + "Z"


def _svg_axes(chart: ChartPlan, colours: Palette) -> list[str]:
    lines = []
    for count in chart.count_ticks:
        y = _y(chart, count)
        lines.append(
            f'<line x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colours.quiet}"/>'
            f'<text x="{LEFT - 5:g}" y="{y + 4:.1f}" text-anchor="end" font-size="12">{count}</text>'
        )
    for position, label in chart.time_ticks:
        x = _x(chart, position)
        if LEFT + 8 <= x <= WIDTH - RIGHT - 8:
            lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 8:g}" text-anchor="middle" font-size="12">{label}</text>')
    return lines


def _svg_legend(chart: ChartPlan, colours: Palette) -> list[str]:
    heights = {"negatives": 3, "band": 10, "expected": 2, "stretch": 10}
    return [
        f'<rect x="{x:g}" y="{31 - height / 2:g}" width="14" height="{height}" fill="{getattr(colours, kind)}"/>'
        f'<text x="{x + 18:g}" y="35" font-size="12">{escape(chart.words[kind])}</text>'
        for (kind, height), x in zip(heights.items(), LEGEND_PLACES, strict=True)
    ]


def chart_png(body: Mapping[str, Any], *, language: Language = "en", zone: tzinfo = UTC) -> bytes | None:
    """The picture as PNG, 960 x 540; in English where this machine has no Chinese font.

    None where the evidence has no series. Blocks for a quarter of a second, and for a second more the first time in
    a process, when matplotlib is loaded.
    """
    font = chinese_font() if language == "zh" else None
    chart = plan(body, language if font else "en", zone)
    if chart is None:
        return None
    import matplotlib as mpl
    from matplotlib.figure import Figure

    families = [font, "DejaVu Sans"] if font else ["DejaVu Sans"]
    with mpl.rc_context({"font.family": families, "font.size": 8, "axes.edgecolor": LIGHT.quiet}):
        figure = Figure(figsize=PNG_INCHES, dpi=PNG_DPI, layout="constrained", facecolor=LIGHT.paper)
        axes = figure.subplots()
        edges = list(range(len(chart.negatives) + 1))
        words = chart.words
        axes.axvspan(chart.stretch, edges[-1], color=LIGHT.stretch, label=words["stretch"], linewidth=0)
        axes.stairs(chart.upper, edges, baseline=chart.lower, fill=True, color=LIGHT.band, label=words["band"])
        axes.stairs(chart.expected, edges, baseline=None, color=LIGHT.expected, ls="--", label=words["expected"])
        axes.stairs(chart.negatives, edges, baseline=None, color=LIGHT.negatives, lw=1.4, label=words["negatives"])
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0, chart.top)
        axes.set_yticks(chart.count_ticks)
        axes.set_xticks([at for at, _ in chart.time_ticks], [label for _, label in chart.time_ticks])
        axes.tick_params(colors=LIGHT.ink, length=2)
        axes.grid(axis="y", color=LIGHT.quiet, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(chart.title, loc="left", color=LIGHT.ink, fontsize=9, fontweight="bold" if not font else None)
        figure.legend(loc="outside lower center", ncols=4, frameon=False, labelcolor=LIGHT.ink, reverse=True)
        picture = BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
