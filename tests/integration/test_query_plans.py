"""Whatever console, API and dashboards ask of a span of time reads that span, and documents only by key or index."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, text

from opinion.rolling_up import RollUpJob
from storage import queries, series
from storage.engine import connect
from storage.series import Filters, Span
from tests.support.plans import plan_faults, statements
from tests.support.records import START, row, says
from tests.support.rows import add_incident, store_rows

UTC = ZoneInfo("UTC")
SPAN = Span(START + timedelta(minutes=7), START + timedelta(hours=120))
FILTERS = [
    Filters(),
    Filters(topic="finance"),
    Filters(source="forum"),
    Filters(language="en"),
    Filters(watchlist="tea"),
    Filters(topic="finance", source="forum", language="en", watchlist="tea"),
]
COUNT_VIEWS = [f"{what}_{unit}" for what in ("sentiment", "watchlist") for unit in ("minute", "hour", "day")]
IN_SPAN = "bucket_at >= :start AND bucket_at < :end"
BI = [
    *(f"SELECT * FROM bi.{view} WHERE {IN_SPAN}" for view in COUNT_VIEWS),  # noqa: S608
    "SELECT * FROM bi.sentiment_day WHERE local_day = DATE '2024-05-02'",
    "SELECT * FROM bi.watchlist_day WHERE local_day = DATE '2024-05-02'",
    f"SELECT source, sum(total) FROM bi.sentiment_hour WHERE {IN_SPAN} AND topic_label = 'finance' GROUP BY 1",  # noqa: S608
    f"SELECT sum(negative) FROM bi.watchlist_day WHERE {IN_SPAN} AND watchlist = 'tea'",  # noqa: S608
    "SELECT * FROM bi.document WHERE published_at >= :start AND published_at < :end",
    "SELECT * FROM bi.mention WHERE published_at >= :start AND published_at < :end",
    "SELECT * FROM bi.mention WHERE watchlist = 'tea' AND published_at >= :start AND published_at < :end",
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Some thousand documents over four days: some hours rolled up, some stale."""
    engine = connect(database_url)
    rows = [
        row(
            f"d{nth}",
            nth,
            text=f"text {nth}",
            published_at=START + timedelta(minutes=4 * nth),
            source=("forum", "paper", "news")[nth % 3],
            topic_label=("finance", "health")[nth % 2],
            mentions=[says("tea")] if nth % 5 == 0 else None,
        )
        for nth in range(2_400)
    ]
    store_rows(engine, rows[:2_300])
    RollUpJob(engine, quiet=timedelta(seconds=-1))(lambda: False)
    store_rows(engine, rows[2_300:])
    with engine.begin() as connection:
        add_incident(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
    yield engine
    engine.dispose()


def faults_of(connection: Connection, seen: list[tuple[str, object]]) -> list[tuple[str, list[str]]]:
    """Statements that read too much."""
    found = [(statement, plan_faults(connection, statement, parameters)) for statement, parameters in seen]
    return [(statement, faults) for statement, faults in found if faults]


def ask_everything(connection: Connection, filters: Filters) -> None:
    """Totals, lines, groups, choices and lists, as the console's pages do."""
    series.total(connection, SPAN, filters)
    for step in (timedelta(minutes=15), timedelta(hours=6)):
        series.lines(connection, series.buckets_of(SPAN, step, UTC), UTC, filters=filters)
    for by in series.COLUMNS:
        series.breakdown(connection, SPAN, by, filters)
        buckets = series.buckets_of(SPAN, timedelta(hours=1), UTC)
        series.lines(connection, buckets, UTC, filters=filters, by=by, keys=["forum", "tea", "finance"])
    series.choices(connection, SPAN)
    queries.newest_documents(connection, filters=filters, span=SPAN)
    queries.newest_documents(connection, filters=filters, sentiment="negative", span=SPAN)
    queries.freshness(connection)
    queries.fates(connection)
    queries.incidents(connection, span=SPAN)


def test_what_is_asked_of_a_span_reads_that_span(engine: Engine) -> None:
    """Every statement of the console's counts and lists by every filter, and every view by time: no document but by
    key or index, no count outside the span."""
    with engine.connect() as connection:
        with statements(connection) as seen:
            for filters in FILTERS:
                ask_everything(connection, filters)
            for query in BI:
                connection.execute(text(query), {"start": SPAN.start, "end": SPAN.end})
        assert len(seen) > 100
        assert faults_of(connection, seen) == []


def test_a_statement_that_reads_too_much_is_found(database_url: str) -> None:
    """The check itself: a sum of all minutes, of all hours, all documents on a topic, all mentions of a kind."""
    engine = connect(database_url)
    store_rows(engine, [row("d", 0, text="text", mentions=[says("tea")])])
    with engine.connect() as connection:
        for query in (
            "SELECT source, sum(total) FROM opinion_minute GROUP BY 1",
            "SELECT sum(total) FROM bi.sentiment_hour WHERE source = 'forum'",
            "SELECT count(*) FROM bi.document WHERE topic_label = 'finance'",
            "SELECT count(*) FROM bi.mention WHERE sentiment = 'negative'",
        ):
            assert plan_faults(connection, query), query
    engine.dispose()
