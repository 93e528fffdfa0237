"""The figures on a model card: judged files summed up per file, per head and over everything held out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.records import Opinion
from core.scripts import script_of
from core.taxonomy import HEADS, Head
from models.classifier import Temperature
from models.datasets import LabelledText
from models.evaluation import UNNAMED, HeadFigures, by_language, evaluate, label_ids, score_matrix
from models.reliability import Answers, TradeOff, among, answers, pooled, trade_offs, without_temperature

THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
EVERYTHING = "all"


@dataclass(frozen=True)
class JudgedFile:
    """Labelled rows and what the model said of them.

    Attributes:
        is_held_out: nothing was chosen by it, neither epoch nor temperature; only such files say how good the
            calibration is.
    """

    name: str
    rows: Sequence[LabelledText]
    opinions: Sequence[Opinion]
    is_held_out: bool = True


@dataclass(frozen=True)
class HeadCalibration:
    """Confidence and accuracy on held-out rows, by language and over `EVERYTHING`.

    The choice is limited to the classes that each file has, as the fit masks classes that a source lacks.
    """

    temperature: Temperature
    before: Mapping[str, Answers]
    after: Mapping[str, Answers]


@dataclass(frozen=True)
class Confusion:
    """How often the class of each line was answered as the class of each column."""

    classes: Sequence[str]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class CardFigures:
    """Everything that is measured for a card.

    Attributes:
        files, languages: `evaluation.evaluate` and `evaluation.by_language` of each file.
        calibration, confusion: of heads that held-out files answer.
        trade_offs: on dev, of heads that its sources know every class of.
    """

    files: Mapping[str, Mapping[str, HeadFigures]]
    languages: Mapping[str, Mapping[str, Mapping[str, HeadFigures]]]
    calibration: Mapping[Head, HeadCalibration]
    confusion: Mapping[Head, Confusion]
    trade_offs: Mapping[Head, Sequence[TradeOff]]


def card_figures(
    tests: Sequence[JudgedFile], dev: Sequence[JudgedFile], temperatures: Mapping[str, Temperature]
) -> CardFigures:
    """Sum up.

    Args:
        dev: what decided on the temperatures, and shows what a threshold of doubt would do.
        temperatures: of the model that gave the opinions.
    """
    files = {file.name: evaluate(file.rows, file.opinions) for file in tests}
    calibration = {
        head: found
        for head in HEADS
        if (found := _calibration(head, [file for file in tests if file.is_held_out], temperatures.get(head, 1.0)))
    }
    return CardFigures(
        files,
        {file.name: by_language(file.rows, file.opinions) for file in tests},
        calibration,
        {head: confusion for head in HEADS if (confusion := _confusion(head, files.values()))},
        {head: lines for head in HEADS if (lines := _trade_offs(head, dev))},
    )


def _calibration(head: Head, files: Iterable[JudgedFile], temperature: Temperature) -> HeadCalibration | None:
    before: dict[str, list[Answers]] = {EVERYTHING: []}
    after: dict[str, list[Answers]] = {EVERYTHING: []}
    for file in files:
        rows, opinions = _answered(head, file)
        labels = label_ids(head, [str(row.label(head)) for row in rows])
        present = np.unique(labels)
        if len(present) < 2:
            continue  # where there is one answer only, being sure of it says nothing
        labels = np.searchsorted(present, labels)
        calibrated = score_matrix(head, opinions)
        uncalibrated = without_temperature(calibrated, _temperatures(temperature, rows))
        language = np.array([row.lang or UNNAMED for row in rows])
        for scores, parts in ((uncalibrated, before), (calibrated, after)):
            limited = among(scores, present)
            for name in (EVERYTHING, *np.unique(language)):
                chosen = (language == name) | (name == EVERYTHING)
                parts.setdefault(str(name), []).append(answers(limited[chosen], labels[chosen]))
    if not before[EVERYTHING]:
        return None
    return HeadCalibration(
        temperature,
        {name: pooled(parts) for name, parts in before.items()},
        {name: pooled(parts) for name, parts in after.items()},
    )


def _temperatures(temperature: Temperature, rows: Sequence[LabelledText]) -> npt.NDArray[np.float64]:
    if isinstance(temperature, dict):
        return np.array([temperature[script_of(row.text)] for row in rows])
    return np.full(len(rows), float(temperature))


def _confusion(head: Head, files: Iterable[Mapping[str, HeadFigures]]) -> Confusion | None:
    counts: Counter[tuple[str, str]] = Counter()
    for figures in files:
        if head in figures:
            found = figures[head]["confusion"]
            for truth, line in zip(found["classes"], found["counts"], strict=True):
                counts.update({(truth, answer): n for answer, n in zip(found["classes"], line, strict=True)})
    if not counts:
        return None
    classes = sorted({truth for truth, _ in counts})
    return Confusion(classes, np.array([[counts[truth, answer] for answer in classes] for truth in classes]))


def _trade_offs(head: Head, dev: Iterable[JudgedFile]) -> list[TradeOff]:
    """A source that lacks a class cannot tell whether that answer is wrong, so its rows are passed over."""
    parts = []
    for file in dev:
        rows, opinions = _answered(head, file)
        if rows and not any(row.absent for row in rows):
            labels = label_ids(head, [str(row.label(head)) for row in rows])
            parts.append(answers(score_matrix(head, opinions), labels))
    return trade_offs(pooled(parts), THRESHOLDS) if parts else []


def _answered(head: Head, file: JudgedFile) -> tuple[list[LabelledText], list[Opinion]]:
    """The rows of a file that answer a head, and their opinions."""
    pairs = [(row, opinion) for row, opinion in zip(file.rows, file.opinions, strict=True) if row.label(head)]
    return [row for row, _ in pairs], [opinion for _, opinion in pairs]
