"""Opinions to rows, counts and ledger lines: one SQL transaction for a batch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError

from core.records import Document, Opinion
from storage import documents, offset_ledger
from storage.copies import WINDOW_DAYS
from storage.documents import DocumentRow, Settled
from storage.offset_ledger import LedgerLine
from storage.partitions import Partitions
from streams.dead_letters import RawRecord
from streams.intake import content_hash

KEPT_TOPIC_SCORES = 3  # the three best say what a person asks; all 17 would double the row


class StoreStep:
    """Blocking; run it in a thread."""

    def __init__(self, engine: Engine, copy_window: timedelta = timedelta(days=WINDOW_DAYS)) -> None:
        self._engine = engine
        self._copy_window_days = copy_window.days
        self._partitions = Partitions(engine)

    def run(
        self,
        records: Sequence[RawRecord],
        classified: Sequence[tuple[RawRecord, Document, Opinion]],
    ) -> list[Settled]:
        """Settle a batch.

        Args:
            records: every record of the batch, dead letters too: the ledger accounts for each offset.
            classified: those that became documents, in the same order.

        Returns:
            One `Settled` per classified record, after the commit.

        Raises:
            sqlalchemy.exc.DBAPIError: see `is_content_error`.
        """
        stored_at = datetime.now(UTC)
        kept = self._former_ids([document for _, document, _ in classified])
        rows = [
            _row(record, document, opinion, stored_at)._replace(id=kept.get(document.id, document.id))
            for record, document, opinion in classified
        ]
        self._partitions.ensure(row.published_at for row in rows)
        with self._engine.begin() as connection:
            settled = documents.store(connection, rows, self._copy_window_days)
            fates = {
                (record.partition, record.offset): result.fate
                for (record, _, _), result in zip(classified, settled, strict=True)
            }
            offset_ledger.write_lines(connection, ledger_lines(records, fates))
        return settled

    def _former_ids(self, batch: Sequence[Document]) -> dict[str, str]:
        """By id the former one, of those documents that are stored under it: their ids must not change."""
        former = {document.id: document.former_id for document in batch if document.former_id}
        if not former:
            return {}
        with self._engine.connect() as connection:
            known = documents.known_ids(connection, former.values())
        return {key: before for key, before in former.items() if before in known}


def is_content_error(error: Exception) -> bool:
    """Whether PostgreSQL refused what a record says, so that waiting will not help."""
    return isinstance(error, DataError | IntegrityError | UnicodeError | ValueError)


def ledger_lines(records: Sequence[RawRecord], fates: dict[tuple[int, int], documents.Fate]) -> list[LedgerLine]:
    """One line per run of consecutive offsets; a record without a fate was dead-lettered."""
    lines = []
    ordered = sorted({(r.partition, r.offset): r for r in records}.items())
    runs = groupby(enumerate(ordered), key=lambda item: (item[1][0][0], item[1][0][1] - item[0]))
    for _, run in runs:
        members = [record for _, (_, record) in run]
        found = [fates.get((record.partition, record.offset)) for record in members]
        lines.append(
            LedgerLine(
                topic=members[0].topic,
                partition=members[0].partition,
                first_offset=members[0].offset,
                last_offset=members[-1].offset,
                stored=found.count("stored"),
                repeats=found.count("repeat") + found.count("refused"),
                revisions=found.count("revision"),
                dead_lettered=found.count(None),
                last_recorded_at=members[-1].recorded_at,
            )
        )
    return lines


def kept_topic_scores(opinion: Opinion) -> dict[str, float]:
    """Those of its topic scores that are stored."""
    return dict(sorted(opinion.topic_scores.items(), key=lambda item: -item[1])[:KEPT_TOPIC_SCORES])


def _row(record: RawRecord, document: Document, opinion: Opinion, stored_at: datetime) -> DocumentRow:
    if document.published_at is None or document.crawled_at is None or document.lang is None:
        raise TypeError("intake gives complete documents")
    return DocumentRow(
        published_at=document.published_at,
        id=document.id,
        revision=0,
        kind=document.kind,
        source=document.source,
        lang=document.lang,
        url=document.url,
        title=document.title,
        text=document.text,
        author=document.author,
        parent_id=document.parent_id,
        likes=document.metrics.likes,
        reposts=document.metrics.reposts,
        replies=document.metrics.replies,
        crawled_at=document.crawled_at,
        content_hash=content_hash(document),
        topic_label=opinion.topic_label,
        topic_scores=kept_topic_scores(opinion),
        sentiment=opinion.sentiment,
        score_negative=opinion.sentiment_scores["negative"],
        score_neutral=opinion.sentiment_scores["neutral"],
        score_positive=opinion.sentiment_scores["positive"],
        topic_uncertain=opinion.topic_uncertain,
        sentiment_uncertain=opinion.sentiment_uncertain,
        mentions=msgspec.to_builtins(opinion.mentions) if opinion.mentions else None,
        model_version=opinion.model_version,
        record_partition=record.partition,
        record_offset=record.offset,
        recorded_at=record.recorded_at,
        stored_at=stored_at,
        quoted_text=document.quoted_text,
    )
