"""The picture of a shadow: the share of negatives over time as champion and candidate saw it, in all and by label."""

import warnings
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

from alerts.reasons.chart_fonts import chinese_font
from opinion.shadow_comparison import Comparison, Line

CHAMPION, CANDIDATE, QUIET = "#c2571a", "#2563a8", "#8a8f98"
COLUMNS: Final = 2
PANEL_INCHES: Final = (4.6, 2.1)
MOST_PANELS: Final = 12


def draw(comparison: Comparison, path: Path, *, champion: str, candidate: str, zone: tzinfo) -> None:
    """Write an SVG file; the same bytes for the same figures."""
    import matplotlib as mpl
    from matplotlib.dates import ConciseDateFormatter, date2num
    from matplotlib.figure import Figure

    lines = comparison.lines[:MOST_PANELS]
    rows = max(1, -(-len(lines) // COLUMNS))
    families = [font for font in (chinese_font(), "DejaVu Sans") if font]
    # Crawled names are no formulas. Text stays text: a glyph that this machine lacks is the reader's to draw.
    style: Any = {"svg.hashsalt": "opinion", "svg.fonttype": "none", "text.parse_math": False, "font.size": 8}
    with mpl.rc_context({**style, "font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure = Figure(figsize=(PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * rows + 0.5), layout="constrained")
        for place, line in enumerate(lines, start=1):
            axes = figure.add_subplot(rows, COLUMNS, place)
            at = date2num([start for start, *_ in line.points])  # type: ignore[no-untyped-call]
            by_champion = [100 * old / documents for _, documents, old, _ in line.points]
            by_candidate = [100 * new / documents for _, documents, _, new in line.points]
            for name, shares, colour in (
                (champion, by_champion, CHAMPION),
                (candidate, by_candidate, CANDIDATE),
            ):
                axes.plot(at, shares, color=colour, linewidth=1.4, marker=".", markersize=3, label=plain(name))
            axes.set_title(_title(line), loc="left")
            axes.set_ylim(0, 100)
            axes.set_ylabel("negative, %")
            axes.xaxis_date(zone)
            locator = axes.xaxis.get_major_locator()
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
            axes.grid(color=QUIET, alpha=0.25, linewidth=0.5)
            axes.spines[["top", "right"]].set_visible(False)
            if place == 1:
                axes.legend(frameon=False, loc="upper right")
        figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")


def _title(line: Line) -> str:
    documents = sum(point[1] for point in line.points)
    return plain(f"{line.label} {line.value} ({documents} documents)" if line.label else f"all {documents} documents")


def plain(text: str) -> str:
    """Crawled names cannot steer what shows the picture."""
    return "".join(character for character in text if character.isprintable())
