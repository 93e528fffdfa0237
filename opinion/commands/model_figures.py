"""Figures of `opinion models evaluate` on a terminal: per file, language and class, confusions, and a summary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:  # the real import loads torch
    from models.evaluation import HeadFigures

FileFigures = Mapping[str, "Mapping[str, HeadFigures]"]
EVERYTHING = "all"
SUMMARY = {
    "accuracy": "accuracy",
    "accuracy_present": "present",
    "macro_f1": "macro F1",
    "macro_f1_present": "present",
    "macro_recall": "recall",
    "ece": "ECE",
}
PER_CLASS = ("precision", "recall", "f1")
WIDEST_COUNT = 5  # and a blank: a column of a confusion matrix
CONFUSIONS_SHOWN = 12


def print_figures(console: Console, version: str, files: FileFigures, languages: Mapping[str, FileFigures]) -> None:
    """Each file with its classes and confusions, then all files in one table, which is what stays on the screen.

    Args:
        files: by file and head, see `models.evaluation.evaluate`.
        languages: by file, language and head.
    """
    for file, head, figures in _each(files):
        console.print(Text(f"{file}, {head}", style="bold"))
        console.print(_classes(figures))
        console.print(_confusion(figures["confusion"], console.width))
        uncertain = figures["uncertain"]
        if uncertain["rows"] and uncertain["accuracy_certain"] is not None:
            share = uncertain["rows"] / figures["rows"]
            shares = f"accuracy {uncertain['accuracy']:.3f}, of the others {uncertain['accuracy_certain']:.3f}"
            console.print(f"uncertain: {uncertain['rows']:,} ({share:.1%}), {shares}")
        console.print()
    console.print(_summary(version, files, languages))


def _summary(version: str, files: FileFigures, languages: Mapping[str, FileFigures]) -> Table:
    table = Table(Column("file", overflow="fold"), "head", "lang", title=version, box=SIMPLE, pad_edge=False)
    for name in ("rows", *SUMMARY.values()):
        table.add_column(name, justify="right")
    for file, head, figures in _each(files):
        by_language = {name: heads[head] for name, heads in languages[file].items() if head in heads}
        whole = EVERYTHING if len(by_language) > 1 else next(iter(by_language))
        table.add_row(file, head, whole, f"{figures['rows']:,}", *_shares(figures, SUMMARY))
        for language, one in by_language.items() if len(by_language) > 1 else ():
            table.add_row("", "", language, f"{one['rows']:,}", *_shares(one, SUMMARY))
    return table


def _classes(figures: "HeadFigures") -> Table:
    table = Table("class", box=None, pad_edge=False)
    for name in ("rows", *PER_CLASS):
        table.add_column(name, justify="right")
    for name, one in figures["per_class"].items():
        table.add_row(name, f"{one['rows']:,}", *_shares(one, PER_CLASS))
    return table


def _confusion(confusion: Mapping[str, Sequence[object]], width: int) -> Table | Text:
    """The matrix where it fits the terminal, else what is confused most."""
    classes = [str(name) for name in confusion["classes"]]
    counts: list[list[int]] = list(confusion["counts"])  # type: ignore[arg-type]  # figures are JSON
    if max(map(len, classes)) + (WIDEST_COUNT + 1) * len(classes) > width:
        pairs = sorted(
            ((count, truth, answer) for truth, line in zip(classes, counts, strict=True)
             for answer, count in zip(classes, line, strict=True) if truth != answer and count),
            reverse=True,
        )  # fmt: skip
        told = ", ".join(f"{truth} as {answer} {count}" for count, truth, answer in pairs[:CONFUSIONS_SHOWN])
        return Text(f"most confused: {told or 'nothing'}")
    table = Table("true \\ answered", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in classes:
        table.add_column(name[:WIDEST_COUNT], justify="right", min_width=WIDEST_COUNT)
    for name, line in zip(classes, counts, strict=True):
        table.add_row(name, *(str(count) if count else "·" for count in line))
    return table


def _each(files: FileFigures) -> Iterator[tuple[str, str, "HeadFigures"]]:
    return ((file, head, figures) for file, heads in files.items() for head, figures in heads.items())


def _shares(figures: "HeadFigures", names: Iterable[str]) -> list[str]:
    return [f"{figures[name]:.3f}" for name in names]
