"""The picture of the curves: SVG, the same bytes for the same figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = {"ours": "#2563a8", "uncertainty only": "#c2571a", "random": "#8a8f98"}


def draw(path: Path, budgets: Sequence[int], curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]) -> None:
    """One small chart a pool: the mean over the seeds, and a band of one standard error either side.

    Args:
        curves: by pool and way, a list of macro-F1 figures for each seed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(
        {
            "svg.hashsalt": "opinion",  # else ids are random
            "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's font
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        columns = min(3, len(curves))
        lines = -(-len(curves) // columns)
        figure = Figure(figsize=(2.7 * columns, 2.4 * lines + 0.4), layout="constrained")
        places = np.atleast_1d(figure.subplots(lines, columns)).ravel()
        for axes, (pool, by_way) in zip(places, curves.items(), strict=False):
            _chart(axes, pool, budgets, by_way)
        for axes in places[len(curves) :]:
            axes.set_axis_off()
        handles, names = places[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")


def _chart(axes: "Axes", pool: str, budgets: Sequence[int], by_way: Mapping[str, Sequence[Sequence[float]]]) -> None:
    for way, colour in COLOURS.items():
        runs = by_way[way]
        figures = 100 * np.array(runs)
        mean = figures.mean(axis=0)
        error = figures.std(axis=0, ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else np.zeros_like(mean)
        axes.plot(budgets, mean, marker="o", markersize=3, color=colour, label=way)
        axes.fill_between(budgets, mean - error, mean + error, color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.minorticks_off()
    axes.set_title(pool.replace("_", " "), fontsize=9)
    axes.set_xlabel("labels")
    axes.set_ylabel("macro-F1, percent")
