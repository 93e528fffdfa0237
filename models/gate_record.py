"""What is kept of a judged candidate, beside its weights: figures in one file, texts in another.

Texts lie in JSON Lines, so that the erasure of a document takes its lines out and leaves the figures.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from core.errors import NotFoundError
from core.records import Opinion
from core.taxonomy import CLASSES, HEADS, Head
from models.datasets import LabelledText
from models.evaluation import UNNAMED
from models.gate import GateFigures
from models.gate_calibration import given_answers
from models.gate_gain import paired_heads
from models.gate_options import GateOptions
from models.gate_verdict import Verdict
from models.reliability import Answers, reliability

RECORD_FILE: Final = "gate.json"
EXAMPLES_FILE: Final = "gate-examples.jsonl"
REPORT_FILE: Final = "report.html"
EXAMPLES: Final = 12  # of each head, gained and lost
EXCERPT_CHARS: Final = 280
CURVE_BINS: Final = 10  # fewer than the error is computed with: a reader compares heights


class ConfusionPair(msgspec.Struct, frozen=True):
    """Counts of one head, a line per true class, over the classes that occur or that either model answered."""

    classes: list[str]
    champion: list[list[int]]
    candidate: list[list[int]]


class Curve(msgspec.Struct, frozen=True):
    """Confidence against accuracy of the bins that have rows."""

    rows: list[int]
    confidence: list[float]
    accuracy: list[float]


class GateRecord(msgspec.Struct, frozen=True):
    """The whole verdict.

    Attributes:
        rows: how many rows were trained on, by kind.
        dev: macro-F1 on dev, which decided when to stop.
        sources: texts of the held-out labels, by source.
        curves: champion and candidate.
    """

    candidate: str
    champion: str
    judged_at: datetime
    verdict: Verdict
    figures: GateFigures
    options: GateOptions
    rows: dict[str, int]
    dev: dict[str, float]
    sources: dict[str, int]
    confusion: dict[Head, ConfusionPair]
    curves: dict[Head, tuple[Curve, Curve]]


class ChangedAnswer(msgspec.Struct, frozen=True):
    """A held-out text that one of the two has right and the other wrong; the scores are of the given answers."""

    text: str
    source: str
    lang: str
    head: Head
    truth: str
    champion: str
    champion_score: float
    candidate: str
    candidate_score: float

    @property
    def is_gained(self) -> bool:
        return self.candidate == self.truth


def write_record(folder: Path, record: GateRecord, examples: Sequence[ChangedAnswer]) -> None:
    """Both files, into the candidate's folder."""
    (folder / RECORD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    (folder / EXAMPLES_FILE).write_bytes(b"".join(msgspec.json.encode(example) + b"\n" for example in examples))


def read_record(folder: Path) -> tuple[GateRecord, list[ChangedAnswer]]:
    """Raises:
    NotFoundError: no candidate was judged here, or its record cannot be read.
    """
    try:
        record = msgspec.json.decode((folder / RECORD_FILE).read_bytes(), type=GateRecord)
        path = folder / EXAMPLES_FILE
        lines = path.read_bytes().splitlines() if path.is_file() else []
        return record, [msgspec.json.decode(line, type=ChangedAnswer) for line in lines if line.strip()]
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{folder.name} was never judged beside a champion: there is no {RECORD_FILE} in {folder}",
            remedy="`opinion models list` shows the candidates of retrain runs",
        ) from error
    except msgspec.MsgspecError as error:
        raise NotFoundError(
            f"the record of {folder.name} cannot be read: {error}",
            remedy="another version wrote it; retrain once more",
        ) from error


def confusions(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion]
) -> dict[Head, ConfusionPair]:
    """Per head that rows answer."""
    found: dict[Head, ConfusionPair] = {}
    heads = paired_heads(rows, before, after)
    for head in HEADS:
        if head in heads:
            pair, size = heads[head], len(CLASSES[head])
            seen = np.unique(np.concatenate([pair.labels, pair.before, pair.after]))
            counts = []
            for chosen in (pair.before, pair.after):
                matrix = np.zeros((size, size), dtype=int)
                np.add.at(matrix, (pair.labels, chosen), 1)
                counts.append(matrix[np.ix_(seen, seen)].tolist())
            found[head] = ConfusionPair([CLASSES[head][place] for place in seen], *counts)
    return found


def curves(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion]
) -> dict[Head, tuple[Curve, Curve]]:
    """Per head that rows answer: the champion's reliability, and the candidate's."""
    return {head: (_curve(was), _curve(now)) for head, (_, was, now) in given_answers(rows, before, after).items()}


def changed_answers(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion]
) -> list[ChangedAnswer]:
    """The changes that the candidate is surest of, at most `EXAMPLES` gained and as many lost for each head."""
    found: list[ChangedAnswer] = []
    for head, pair in paired_heads(rows, before, after).items():
        changes = [
            _changed(rows[place], head, before[place], after[place])  # type: ignore[arg-type]  # names of `HEADS`
            for place, was_right, is_right in zip(
                pair.places, pair.before == pair.labels, pair.after == pair.labels, strict=True
            )
            if was_right != is_right
        ]
        changes.sort(key=lambda change: (-change.candidate_score, change.text))
        for is_gained in (True, False):
            found += [change for change in changes if change.is_gained is is_gained][:EXAMPLES]
    return found


def _changed(row: LabelledText, head: Head, before: Opinion, after: Opinion) -> ChangedAnswer:
    old, new = (one.topic_label if head == "topic" else one.sentiment for one in (before, after))
    old_scores, new_scores = (
        one.topic_scores if head == "topic" else one.sentiment_scores for one in (before, after)
    )
    text = row.text if len(row.text) <= EXCERPT_CHARS else f"{row.text[:EXCERPT_CHARS]}…"
    return ChangedAnswer(
        text.encode("utf-8", "replace").decode(),  # half a surrogate pair cannot be written
        row.source,
        row.lang or UNNAMED,
        head,
        str(row.label(head)),
        old,
        old_scores[old],
        new,
        new_scores[new],
    )


def _curve(given: Answers) -> Curve:
    bins = reliability(given, CURVE_BINS)
    filled = bins.rows > 0
    return Curve(
        bins.rows[filled].tolist(),
        [round(value, 4) for value in bins.confidence[filled].tolist()],
        [round(value, 4) for value in bins.accuracy[filled].tolist()],
    )
