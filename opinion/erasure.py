"""Erasing an author or a document everywhere, and saying what no command reaches."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from core.pseudonyms import Pseudonyms, is_pseudonym
from core.settings import Settings
from opinion import erased_files
from opinion.erased_files import Cleaned, Sought
from storage import erasure, opt_outs, training_runs
from storage.erasure import Erased
from storage.queries import is_known
from streams import topics

BATCH: Final = 200  # documents in one transaction: workers that revise them wait no longer than that


@dataclass(frozen=True)
class Erasure:
    """What was erased, or, dry, would be; `models` and `kafka` are what no command reaches."""

    what: str
    rows: Erased
    files: Cleaned
    kafka: list[str]

    def as_json(self) -> dict[str, Any]:
        """For people and scripts; names no text."""
        rows = asdict(self.rows)
        counts = {name: rows[name] for name in rows if isinstance(rows[name], int)}
        models = {"trained": sorted(self.rows.trained), "perhaps": sorted(self.rows.sampled - self.rows.trained)}
        return {"erased": self.what, **counts, "files": asdict(self.files), "models": models, "kafka": self.kafka}


def pseudonyms_named(what: str, pseudonyms: Pseudonyms, used_keys: Sequence[str]) -> list[str]:
    """The pseudonyms that an author goes by, given as a name or as a pseudonym."""
    return [what] if is_pseudonym(what, used_keys) else pseudonyms.all_of(what)


def erase_documents(
    settings: Settings, engine: Engine, what: str, ids: Sequence[str], also: Sequence[Path], *, is_dry: bool
) -> Erasure:
    """Erase copies of these documents in files, then, in batches, the documents. When it was broken off, it may be
    run again, and reaches the rest.

    Args:
        also: files and folders outside `home` that may hold copies.
        is_dry: everything is rolled back.
    """
    window_days = settings.copies.window.days
    found = _sweep(engine, ids, window_days, is_dry=True)
    files = Cleaned()
    if ids:  # before the rows, which say what to look for
        with training_runs.only_run(engine) as is_ours:
            sought = Sought(found.ids, found.texts)
            files = erased_files.clean(settings.home, also, sought, is_training=not is_ours, is_dry=is_dry)
    total = found if is_dry else _sweep(engine, ids, window_days, is_dry=False)
    return Erasure(what, total, files, _kept_by_kafka(settings) if total.documents else [])


def _sweep(engine: Engine, ids: Sequence[str], copy_window_days: int, *, is_dry: bool) -> Erased:
    total = Erased()
    for start in range(0, len(ids), BATCH):
        with engine.connect() as connection, connection.begin() as transaction:
            batch = ids[start : start + BATCH]
            total.add(erasure.erase(connection, batch, note="erased", copy_window_days=copy_window_days))
            if is_dry:
                transaction.rollback()
    return total


def document_ids(engine: Engine, what: str, names: Sequence[str], *, as_kind: str) -> tuple[str, list[str]]:
    """Whether `what` is a document or an author, and the ids to erase.

    Args:
        names: its pseudonyms, were it an author.
        as_kind: "document", "author", or "auto": a document if one has that id.
    """
    with engine.connect() as connection:
        if as_kind == "document" or (as_kind == "auto" and is_known(connection, what)):
            return "document", [what]
        return "author", erasure.of_author(connection, names, what)


def note_author(engine: Engine, names: Sequence[str]) -> None:
    """Put an author on the opt-out list."""
    with engine.begin() as connection:
        opt_outs.add(connection, "author", names, note="erased")


def _kept_by_kafka(settings: Settings) -> list[str]:
    """Topics that hold texts, with how long they do: Kafka takes no single record out of its log."""
    kept = []
    for topic in topics.MANIFEST:
        if topic.name != topics.MODEL:
            retention = settings.kafka.raw_retention if topic.retention is None else topic.retention
            how_long = "for ever" if retention == topics.FOREVER else f"for {retention.days} days"
            kept.append(f"{settings.kafka.topic_prefix}{topic.name} {how_long}")
    return kept
