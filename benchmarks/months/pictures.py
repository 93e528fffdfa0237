"""The months as a picture: macro-F1 by day for each way to start runs, and where runs were."""

from pathlib import Path
from typing import Any, Final

import numpy as np

COLOURS: Final = {"never": "#8a8f98", "schedule": "#c2571a", "labels": "#6b8e23", "drift": "#2563a8"}
NAMES: Final = {
    "never": "no loop",
    "schedule": "weekly",
    "labels": "every 200 labels",
    "drift": "by drift",
}


def draw(months: dict[str, dict[str, list[dict[str, Any]]]], path: Path) -> None:
    """Write an SVG, the same bytes for the same figures."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": "opinion", "svg.fonttype": "none", "font.size": 9}
    with mpl.rc_context(style | {"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, (month, lines) in zip(figure.subplots(1, len(months), sharey=True), months.items(), strict=True):
            for trigger, runs in lines.items():
                curves = np.array([run["curve"] for run in runs])
                days = np.arange(1, curves.shape[1] + 1)
                axes.plot(days, curves.mean(axis=0), color=COLOURS[trigger], label=NAMES[trigger], linewidth=1.4)
                if trigger == "drift":
                    for run in runs:
                        taken = np.array(run["promoted"], dtype=int)
                        axes.plot(taken + 1, curves.mean(axis=0)[taken], "v", color=COLOURS[trigger], ms=5)
            knowing = np.array([run["knowing"] for run in next(iter(lines.values()))]).mean(axis=0)
            axes.plot(
                days, knowing, color="black", linestyle=":", linewidth=0.9, label="a model that knows the domain"
            )
            axes.set_title(month)
            axes.set_xlabel("day")
        figure.axes[0].set_ylabel("macro-F1, three days")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")
