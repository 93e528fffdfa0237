"""The pictures beside a model card: SVG, the same bytes for the same figures, a few dozen kilobytes together."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.taxonomy import Head
from models.card_figures import EVERYTHING, CardFigures, Confusion, HeadCalibration
from models.model_card import Pictures
from models.reliability import Answers, reliability

if TYPE_CHECKING:  # the real import takes half a second, and only training needs it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10  # fewer than the error is computed with: a reader compares heights
MARKED_SHARE = 0.01  # smaller confusions are left without a figure
MODEL, BASELINE, QUIET = "#2563a8", "#c2571a", "#8a8f98"


def draw(folder: Path, figures: CardFigures, baselines: Mapping[tuple[str, str], tuple[float, float]]) -> Pictures:
    """Write the pictures that there are figures for into `folder`.

    Args:
        baselines: accuracy and macro-F1 in percent, by file name and head.
    """
    files = "files.svg" if figures.files else None
    reliability_files: dict[Head, str] = {head: f"reliability-{head}.svg" for head in figures.calibration}
    confusion_files: dict[Head, str] = {head: f"confusion-{head}.svg" for head in figures.confusion}
    with _style():
        if files:
            _save(_accuracies(figures, baselines), folder / files)
        for head, calibration in figures.calibration.items():
            _save(_reliability(head, calibration), folder / reliability_files[head])
        for head, confusion in figures.confusion.items():
            _save(_confusion(head, confusion), folder / confusion_files[head])
    return Pictures(files, reliability_files, confusion_files)


def _style() -> AbstractContextManager[Any]:
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "svg.hashsalt": "opinion",  # else ids are random
            "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's font
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _accuracies(figures: CardFigures, baselines: Mapping[tuple[str, str], tuple[float, float]]) -> "Figure":
    lines = [
        (f"{file.split('.', 1)[0]} ({head})", 100 * found["accuracy_present"], baselines.get((file, head)))
        for file, heads in figures.files.items()
        for head, found in heads.items()
    ]
    figure = _figure(7, 0.9 + 0.24 * len(lines))
    axes: Axes = figure.subplots()
    places = range(len(lines))
    axes.barh(places, [accuracy for _, accuracy, _ in lines], color=MODEL, height=0.6, label="this model")
    marked = [(place, base[0]) for place, (_, _, base) in zip(places, lines, strict=True) if base]
    if marked:
        ys, xs = zip(*marked, strict=True)
        axes.plot(xs, ys, "|", color=BASELINE, markersize=11, markeredgewidth=2.5, label="baseline")
    for place, (_, accuracy, _) in zip(places, lines, strict=True):
        axes.text(1, place, f"{accuracy:.1f}", va="center", color="white", fontsize=8)
    axes.set_yticks(places, [name for name, _, _ in lines])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy over the classes of the file, percent")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def _reliability(head: Head, calibration: HeadCalibration) -> "Figure":
    figure = _figure(4.2, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
    _curve(above, calibration.before[EVERYTHING], "before", QUIET, "--")
    _curve(above, calibration.after[EVERYTHING], "after", MODEL, "-")
    above.set_ylim(0, 1)
    above.set_ylabel("accuracy")
    above.set_title(f"{head}: is a score worth what it says?")
    above.legend(loc="upper left", frameon=False)
    bins = reliability(calibration.after[EVERYTHING], BINS)
    below.bar((np.arange(BINS) + 0.5) / BINS, bins.rows / bins.rows.sum(), width=0.9 / BINS, color=MODEL)
    below.set_xlim(0, 1)
    below.set_xlabel("confidence")
    below.set_ylabel("share of rows")
    return figure


def _curve(axes: "Axes", given: Answers, name: str, colour: str, dashes: str) -> None:
    bins = reliability(given, BINS)
    filled = bins.rows > 0
    label = f"{name}, ECE {100 * reliability(given).expected_error:.1f} %"
    axes.plot(bins.confidence[filled], bins.accuracy[filled], dashes, color=colour, marker="o", ms=4, label=label)


def _confusion(head: Head, confusion: Confusion) -> "Figure":
    size = len(confusion.classes)
    shares = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(2.2 + 0.36 * size, 1.6 + 0.3 * size)
    axes: Axes = figure.subplots()
    axes.imshow(
        shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none"
    )  # one small image in the SVG
    for (line, column), share in np.ndenumerate(shares):
        if share >= MARKED_SHARE:
            colour = "white" if share > 0.5 else "black"
            text = axes.text(column, line, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
            text.set_in_layout(False)  # within the axes anyway, and measuring hundreds of them takes seconds
    axes.set_xticks(range(size), confusion.classes, rotation=90)
    axes.set_yticks(range(size), confusion.classes)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    axes.set_title(f"{head}: percent of each true class")
    return figure
