"""What one retrain run learns from, told by its content: the same labels, parts and options give the same hash."""

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from core.scrubbing import scrub
from core.texts import text_hash
from models.datasets import LabelledText
from models.recipe import TrainingMethod
from opinion.training_set import FEWEST_TEXTS, TrainingSet, choose_gold, split
from storage import gold_set, human_labels, training_runs
from storage.adjudication import adjudicate
from storage.human_labels import LabelRow


@dataclass(frozen=True)
class LearningOptions:
    """What of the settings decides what comes out of a run; part of the snapshot's hash.

    Attributes:
        epochs, learning_rate, method: as in `core.settings.RetrainSettings`.
        max_length: tokens of one window.
    """

    epochs: float
    learning_rate: float
    method: TrainingMethod
    max_length: int


@dataclass(frozen=True)
class Snapshot:
    """The labels of one run in their parts.

    Attributes:
        hash: hex SHA-256 of parts and options. The champion and the replay pool are not in it: they change with the
            stream, and alone are no reason to train again.
        new_labels: answers since the last run that came to a verdict.
        new_gold: texts that join the gold set with this run.
    """

    parts: TrainingSet
    hash: str
    new_labels: int
    new_gold: list[bytes]
    options: LearningOptions

    def counts(self) -> dict[str, int]:
        """Texts of each part, and answers since the last verdict."""
        return {
            "train": len(self.parts.train),
            "dev": len(self.parts.dev),
            "gold": len(self.parts.held_out),
            "new gold": len(self.new_gold),
            "new labels": self.new_labels,
        }

    def described(self) -> dict[str, Any]:
        """As it is stored with the run."""
        return {"texts": self.counts(), "options": asdict(self.options)}


def take_snapshot(
    connection: Connection, options: LearningOptions, *, held_out_share: float, now: datetime
) -> Snapshot | str:
    """The labels as they stand, or why nothing can be learned from them. Stores nothing; see `keep_gold`.

    Args:
        held_out_share: of all labelled texts, for the gold set.
        now: when new texts of the gold set join it.
    """
    new_labels = human_labels.count_after(connection, training_runs.last_label_seen(connection))
    first_labels: dict[bytes, int] = {}
    texts, last_label_id = adjudicate(_noting_first(human_labels.rows(connection), first_labels))
    if not texts:
        return "there are no labels"
    if len(texts) < FEWEST_TEXTS:
        return f"{len(texts)} labelled texts are too few to train, stop and judge by"
    gold = gold_set.dates(connection)
    parted = training_runs.last_label_parted(connection)
    new = {key for key, label_id in first_labels.items() if label_id > parted}
    new_gold = choose_gold(texts, gold, new, share=held_out_share)
    try:
        parts = split(texts, last_label_id, gold=gold | dict.fromkeys(new_gold, now))
    except ValueError as error:
        return str(error)
    return Snapshot(parts, content_hash(parts, options), new_labels, new_gold, options)


def keep_gold(connection: Connection, snapshot: Snapshot) -> None:
    """Let the snapshot's new texts join the gold set, in the transaction that stores the run."""
    gold_set.add(connection, snapshot.new_gold, "share")


def replay_pool(connection: Connection, wanted: int) -> list[LabelledText]:
    """Stored documents without answers, for replay; none of the gold set is among them."""
    gold = gold_set.hashes(connection)
    return [
        LabelledText(scrub(document.text), lang=document.lang, source=document.source)
        for document in training_runs.sample_documents(connection, wanted)
        if text_hash(document.text) not in gold
    ]


def content_hash(parts: TrainingSet, options: LearningOptions) -> str:
    """Hex SHA-256 of the parts, whatever the order of their rows, and of the options."""
    named = {"train": parts.train, "dev": parts.dev, "gold": parts.held_out}
    content = {name: sorted(_told(rows)) for name, rows in named.items()}
    return hashlib.sha256(msgspec.json.encode((content, asdict(options)), order="sorted")).hexdigest()


def rows_hash(rows: Sequence[LabelledText]) -> str:
    """The same of rows by themselves, e.g. a replay pool."""
    return hashlib.sha256(msgspec.json.encode(sorted(_told(rows)))).hexdigest()


def _told(rows: Iterable[LabelledText]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield (row.text, row.topic or "", row.sentiment or "", row.lang or "", row.source, *row.absent)


def _noting_first(rows: Iterable[LabelRow], first: dict[bytes, int]) -> Iterator[LabelRow]:
    """The rows, while `first` learns the oldest label of each text."""
    for row in rows:
        first.setdefault(text_hash(row.text), row.id)
        yield row


def same_as(snapshot: Snapshot, run: training_runs.TrainingRun | None) -> bool:
    """Whether a run has learned from just this."""
    return run is not None and run.snapshot_hash == snapshot.hash


def export(snapshot: Snapshot, path: Path) -> int:
    """Write the texts of each part as lines that `models.datasets.read_labelled` and `labels import` take, with the
    `part` they are in. Returns how many.

    Raises:
        OSError: the file cannot be written.
    """
    parts = {"train": snapshot.parts.train, "dev": snapshot.parts.dev, "gold": snapshot.parts.held_out}
    opened = gzip.open if path.suffix == ".gz" else open
    written = 0
    with opened(path, "wb") as file:
        for part, rows in parts.items():
            for row in rows:
                told = {"part": part, "text": row.text, "topic": row.topic, "sentiment": row.sentiment}
                file.write(msgspec.json.encode(told | {"lang": row.lang, "source": row.source}) + b"\n")
                written += 1
    return written
