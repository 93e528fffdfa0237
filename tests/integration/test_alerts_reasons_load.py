"""Evidence on a window of a hundred thousand documents: bounded reads, by index."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, text

from alerts.detection.detectors import DetectorOptions, SpikeDetector
from alerts.detection.judgement import Judgement
from alerts.detection.lifecycle import Episode, fold
from alerts.reasons.evidence import gather
from alerts.reasons.explaining import MOST_READ
from storage.engine import connect
from storage.excess_counts import Scope
from storage.partitions import Partitions
from tests.support.surges import START, SURGE_AT

DOCUMENTS = 100_000
COPIES = DOCUMENTS // 4 - 1  # all of them negative
WINDOW = timedelta(hours=4)
FILL = """
    INSERT INTO document (published_at, id, revision, kind, source, lang, text, likes, reposts, replies, crawled_at,
        content_hash, topic_label, topic_scores, sentiment, score_negative, score_neutral, score_positive,
        model_version, record_partition, record_offset, recorded_at, stored_at, copy_text)
    SELECT at, :prefix || n, 0, 'post', 's' || n % 40, 'zh', '奶茶店停业整顿 ' || md5(n::text) || repeat('长', 300),
        0, 0, 0, at, '\\x00', 't' || n % 12, '{}', CASE WHEN n % 2 = 0 THEN 'negative' ELSE 'neutral' END,
        CASE WHEN n % 2 = 0 THEN 0.9 ELSE 0.1 END, 0.05, 0.05, 'm1', 0, n, at, at,
        CASE WHEN n % CAST(:nth AS int) = 0 THEN 1 END
    FROM (
        SELECT n, CAST(:start AS timestamptz) + n * CAST(:step AS interval) AS at FROM generate_series(1, :most) AS n
    ) AS d
"""
COUNT = """
    INSERT INTO opinion_minute (bucket_at, source, kind, lang, topic_label, model_version, total, negative, neutral,
        copies, negative_copies)
    SELECT date_trunc('minute', published_at), source, kind, lang, topic_label, model_version, count(*),
           count(*) FILTER (WHERE sentiment = 'negative'), count(*) FILTER (WHERE sentiment <> 'negative'),
           count(*) FILTER (WHERE copy_text = 1 AND id <> 'd:4'),
           count(*) FILTER (WHERE copy_text = 1 AND id <> 'd:4' AND sentiment = 'negative')
    FROM document GROUP BY 1, 2, 3, 4, 5, 6
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A quiet week, a document a minute, then four hours with a hundred thousand, a quarter one story's copies."""
    made = connect(database_url)
    Partitions(made).ensure([START - timedelta(days=8), SURGE_AT])
    with made.begin() as connection:
        week = {"start": SURGE_AT - timedelta(days=7), "step": timedelta(minutes=1), "most": 7 * 1440 - 1}
        connection.execute(text(FILL), {**week, "prefix": "w:", "nth": 1_000_000})
        surge = {"start": SURGE_AT, "step": WINDOW / (DOCUMENTS + 1), "most": DOCUMENTS}
        connection.execute(text(FILL), {**surge, "prefix": "d:", "nth": 4})
        first = {"day": SURGE_AT.date(), "at": SURGE_AT + 4 * (WINDOW / (DOCUMENTS + 1))}
        connection.execute(
            text(
                "INSERT INTO copy_text (id, day, sketch, shingles, threshold, figures, cluster, documents, first_at, "
                "first_id) VALUES (1, :day, '', 9, 0.5, '', 7, 25000, :at, 'd:4')"
            ),
            first,
        )
        connection.execute(
            text("INSERT INTO copy_cluster (id, documents, first_at, first_id) VALUES (7, 25000, :at, 'd:4')"), first
        )
        connection.execute(text(COUNT))
    with made.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    yield made
    made.dispose()


def surged() -> tuple[Judgement, Episode]:
    """The end of the four hours as the detector judges it after two quiet days; its window is all four."""
    options = DetectorOptions()
    detector, at = SpikeDetector(options), SURGE_AT - timedelta(days=2)
    bucket = round(DOCUMENTS / (WINDOW / options.bucket))
    fired = None
    while at < SURGE_AT + WINDOW:
        verdict = detector.observe(at, *((bucket // 2, bucket) if at >= SURGE_AT else (1, 20)))
        fired = verdict if verdict.is_firing else fired
        at += options.bucket
    assert fired is not None
    assert fired.state is not None
    episode = fold(None, fired, options.bucket)
    assert episode is not None
    window = replace(
        episode,
        window_ends_at=SURGE_AT + WINDOW,
        window_seconds=WINDOW.total_seconds(),
        observed=float(DOCUMENTS // 2 - COPIES),
        documents=DOCUMENTS - COPIES,
    )
    return Judgement(fired.bucket_at, options, fired.state), window


def test_evidence_reads_a_bounded_part_by_index(engine: Engine) -> None:
    """However many documents a window holds: so many are read, none by a scan of the table, in a few seconds."""
    judgement, episode = surged()
    statements: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    with engine.connect() as connection:
        started = time.perf_counter()
        body = gather(connection, Scope(), episode, judgement)
        seconds = time.perf_counter() - started
        asked = [one for one in statements if re.search(r"\bdocument\b", one[0])]
        plans = ["\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}", given).scalars()) for sql, given in asked]
    assert body["comparison"]["read"]["window"][0] <= MOST_READ
    [story] = body["drivers"]["cluster"]
    assert (story["negative"], story["copies"]) == (1, COPIES)
    assert len(plans) >= 5
    assert [plan for plan in plans if "Seq Scan on document" in plan] == []
    assert seconds < 10, f"{seconds:.1f} s"
