"""Rows for tests: documents through the real write path, and incidents as the alert pipeline leaves them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from storage.documents import DocumentRow, store
from storage.offset_ledger import LedgerLine, write_lines
from storage.partitions import Partitions
from storage.tables import evidence, incident, incident_event
from tests.support.records import START

EVIDENCE: dict[str, Any] = {
    "documents_in_window": 69,
    "share": 0.61,
    "usual_share": 0.14,
    "drivers": {"source": [{"name": "forum", "negative": 30, "total": 40, "usual": 2.5, "excess": 27.5}]},
    "documents": [
        {
            "id": "forum:1",
            "published_at": START.isoformat(),
            "source": "forum",
            "url": "https://example.org/1",
            "title": None,
            "text": "x",
            "score_negative": 0.875,
        }
    ],
}


def store_rows(engine: Engine, rows: Sequence[DocumentRow]) -> None:
    """Store documents, their counts and a ledger line in one transaction, as a worker does."""
    Partitions(engine).ensure(row.published_at for row in rows)
    with engine.begin() as connection:
        settled = [one.fate for one in store(connection, rows)]
        line = LedgerLine(
            topic="opinion.document.raw.v1",
            partition=0,
            first_offset=rows[0].record_offset,
            last_offset=rows[0].record_offset + len(rows) - 1,
            stored=settled.count("stored"),
            repeats=settled.count("repeat"),
            revisions=settled.count("revision"),
            dead_lettered=0,
            last_recorded_at=rows[-1].recorded_at,
        )
        write_lines(connection, [line])


def waits_for_a_lock(engine: Engine) -> bool:
    """Whether somebody does, in this database."""
    with engine.connect() as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(connection.scalar(text(query)))


def add_incident(connection: Connection, **changes: Any) -> int:
    """A firing surge of negatives on finance at `START`, with one event and one piece of evidence."""
    values: dict[str, Any] = {
        "fingerprint": f"surge-{changes.get('starts_at', START).isoformat()}",
        "rule": "by-topic",
        "labels": {"alertname": "NegativeSurge", "rule": "by-topic", "topic": "finance"},
        "severity": "critical",
        "status": "firing",
        "starts_at": START,
        "detected_at": START + timedelta(minutes=5),
        "last_fired_at": START + timedelta(minutes=10),
        "observed": 42.0,
        "expected": 6.0,
        "score": 8.5,
        "notified_score": 8.5,
        "annotations": {"summary_zh": "话题 财经：负面 42 条", "summary_en": "topic finance: 42 negative"},
    }
    body = changes.pop("evidence", EVIDENCE)
    found = connection.execute(insert(incident).values(values | changes).returning(incident.c.id)).scalar_one()
    connection.execute(
        insert(incident_event).values(incident_id=found, transition="opened", actor="detector", at=START)
    )
    connection.execute(insert(evidence).values(incident_id=found, body=body, at=START))
    return int(found)
