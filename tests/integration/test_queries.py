"""What the console and the demo read, against rows of the real write path."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, insert, text

from storage import queries, series
from storage.documents import DocumentRow
from storage.engine import connect
from storage.incident_care import acknowledge
from storage.series import Filters, Span
from storage.tables import model_promotion, model_version, notification
from tests.support.records import START, row, says
from tests.support.rows import EVIDENCE, add_incident, store_rows

UTC = ZoneInfo("UTC")
MINUTE = timedelta(minutes=1)
HOUR = Span(START, START + timedelta(hours=1))
MODEL = {"version": "v2", "path": "models/v2", "origin": "retrain"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One connection to it, for reading after the rows were stored."""
    with engine.connect() as connection:
        yield connection


def mixed_rows(count: int, apart: timedelta = timedelta(seconds=7)) -> list[DocumentRow]:
    """Documents in time order over two topics, three sentiments and two sources."""
    return [
        row(
            f"d{nth:05}",
            nth,
            text=f"text {nth}",
            published_at=START + nth * apart,
            topic_label=("finance", "health")[nth % 2],
            sentiment=("negative", "neutral", "positive")[nth % 3],
            source=("forum", "paper")[nth % 5 == 0],
        )
        for nth in range(count)
    ]


def all_pages(connection: Connection, limit: int, **filters: object) -> list[str]:
    """The ids of the whole list, page by page."""
    found: list[str] = []
    before = None
    while page := queries.newest_documents(connection, before=before, limit=limit, **filters):  # type: ignore[arg-type]
        found += [one.id for one in page]
        before = (page[-1].published_at, page[-1].id)
    return found


def test_an_empty_database_has_an_answer_to_everything(connection: Connection) -> None:
    """The first page before the first document shows zeros, not errors."""
    assert queries.freshness(connection) == queries.Freshness(None, None, None)
    assert queries.fates(connection) == queries.Fates(0, 0, 0, 0, last_minute=0)
    assert queries.incidents(connection) == []
    assert queries.firing_count(connection) == 0
    assert queries.incident_file(connection, 1) is None
    assert queries.newest_documents(connection) == []
    assert queries.champion(connection) is None
    assert series.total(connection, HOUR) == series.Counts()
    assert series.total(connection, HOUR).negative_share is None
    assert series.breakdown(connection, HOUR, "topic") == []


def test_freshness_and_fates_follow_the_workers(engine: Engine, connection: Connection) -> None:
    """Age is of event time, throughput of the clock; a record counts under one fate."""
    store_rows(engine, mixed_rows(20))
    store_rows(engine, [row("d00000", 20, text="text 0"), row("d00001", 21, text="changed", published_at=START)])
    age = queries.freshness(connection)
    assert age.oldest_bucket_at == START
    assert age.newest_bucket_at == START + 2 * MINUTE
    fates = queries.fates(connection)
    assert (fates.stored, fates.repeats, fates.revisions, fates.dead_lettered) == (20, 1, 1, 0)
    assert fates.records == fates.last_minute == 22


def test_lines_add_up_to_the_documents(engine: Engine, connection: Connection) -> None:
    """Each document is in one bucket of the whole and of its group."""
    rows = mixed_rows(100)
    store_rows(engine, rows)
    buckets = series.buckets_of(HOUR, timedelta(minutes=5), UTC)
    (everything,) = series.lines(connection, buckets, UTC)
    finance, health = series.lines(connection, buckets, UTC, by="topic", keys=["finance", "health"])
    assert len(everything.total) == 12
    assert everything.total[:3] == [43, 43, 14]
    assert sum(everything.negative) == sum(1 for one in rows if one.sentiment == "negative")
    assert [a + b for a, b in zip(finance.total, health.total, strict=True)] == everything.total
    parts = zip(everything.negative, everything.neutral, everything.positive, strict=True)
    assert [sum(part) for part in parts] == everything.total


def test_filters_narrow_every_figure_alike(engine: Engine, connection: Connection) -> None:
    """Total, lines, groups and documents speak of the same documents."""
    rows = mixed_rows(100)
    store_rows(engine, rows)
    filters = Filters(topic="finance", source="paper")
    expected = [one.id for one in rows if one.topic_label == "finance" and one.source == "paper"]
    assert series.total(connection, HOUR, filters).total == len(expected)
    buckets = series.buckets_of(HOUR, timedelta(minutes=5), UTC)
    (line,) = series.lines(connection, buckets, UTC, filters=filters)
    assert sum(line.total) == len(expected)
    assert sum(group.counts.total for group in series.breakdown(connection, HOUR, "source", filters)) == len(expected)
    assert all_pages(connection, 7, filters=filters) == expected[::-1]


def test_groups_come_largest_first_with_the_span_before(engine: Engine, connection: Connection) -> None:
    """The change of a group is against the same length of time just before."""
    before = [row(f"b{nth}", nth, text=f"b{nth}", published_at=START - MINUTE * (nth + 1)) for nth in range(3)]
    now = [row(f"n{nth}", 10 + nth, text=f"n{nth}", sentiment="positive") for nth in range(2)]
    other = [row(f"o{nth}", 20 + nth, text=f"o{nth}", topic_label="health") for nth in range(4)]
    store_rows(engine, before + now + other)
    health, finance = series.breakdown(connection, HOUR, "topic")
    assert (health.key, health.counts.total, health.before.total) == ("health", 4, 0)
    assert (finance.key, finance.counts.total, finance.counts.negative) == ("finance", 2, 0)
    assert (finance.before.total, finance.before.negative) == (3, 3)
    assert series.choices(connection, HOUR) == {
        "topic": ["finance", "health"],
        "source": ["forum"],
        "language": ["en"],
        "watchlist": [],
    }


def test_a_watchlist_counts_its_mentions_by_the_sentiment_toward_it(engine: Engine, connection: Connection) -> None:
    """A document that is negative and praises a brand is positive for that brand, in counts and in the list alike."""
    brands = ([says("tea", "positive")], [says("tea", "negative"), says("cola", "neutral")], None)
    rows = [one._replace(mentions=brands[nth % 3]) for nth, one in enumerate(mixed_rows(60))]
    store_rows(engine, rows)
    tea, cola = series.breakdown(connection, HOUR, "watchlist")
    assert (tea.key, tea.counts.total, tea.counts.negative, tea.counts.positive) == ("tea", 40, 20, 20)
    assert (cola.key, cola.counts.total, cola.counts.neutral) == ("cola", 20, 20)
    wanted = Filters(topic="finance", watchlist="tea")
    about = [one.id for one in rows if one.topic_label == "finance" and one.mentions]
    assert series.total(connection, HOUR, wanted).total == len(about)
    assert all_pages(connection, 7, filters=wanted) == about[::-1]
    bad = [one.id for one in rows if one.mentions and one.mentions[0]["sentiment"] == "negative"]
    assert all_pages(connection, 7, filters=Filters(watchlist="tea"), sentiment="negative") == bad[::-1]
    assert series.choices(connection, HOUR)["watchlist"] == ["cola", "tea"]


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=1), timedelta(minutes=3)])
@pytest.mark.parametrize("sentiment", [None, "negative"])
def test_pages_hold_every_document_once_in_order(
    engine: Engine, connection: Connection, apart: timedelta, sentiment: str | None
) -> None:
    """Whether a minute holds all of them or one, paging skips and repeats nothing."""
    rows = mixed_rows(90, apart)
    store_rows(engine, rows)
    wanted = [one for one in rows if sentiment is None or one.sentiment == sentiment]
    expected = [one.id for one in sorted(wanted, key=lambda one: (one.published_at, one.id), reverse=True)]
    assert all_pages(connection, 7, sentiment=sentiment) == expected
    assert all_pages(connection, 200, sentiment=sentiment) == expected


def test_a_list_reads_only_the_minutes_that_hold_its_documents(engine: Engine, connection: Connection) -> None:
    """A rare topic among many documents does not make the console read them all."""
    common = mixed_rows(3000, timedelta(seconds=20))
    rare = row("rare", 3000, text="rare", topic_label="travel", published_at=START + timedelta(minutes=5))
    store_rows(engine, [*common, rare])
    with engine.begin() as writing:
        writing.execute(text("ANALYZE"))
    found = queries.newest_documents(connection, filters=Filters(topic="travel"))
    assert [one.id for one in found] == ["rare"]
    rows_read = connection.scalar(
        text(
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname LIKE 'document_y%'"
        )
    )
    assert 0 < rows_read <= 10  # those of one minute


def test_long_texts_are_cut_for_lists(engine: Engine, connection: Connection) -> None:
    """A list of fifty documents never carries fifty whole articles."""
    store_rows(engine, [row("long", text="长" * 5000)])
    (found,) = queries.newest_documents(connection)
    assert found.text == "长" * queries.EXCERPT_CHARS


def test_firing_incidents_come_first_and_overlap_decides(engine: Engine, connection: Connection) -> None:
    """The list starts with what is going on; a range shows what reaches into it."""
    with engine.begin() as writing:
        ended = {"status": "resolved", "ends_at": START + timedelta(hours=2)}
        later = add_incident(writing, starts_at=START + timedelta(hours=1), **ended)
        firing = add_incident(writing, starts_at=START)
    assert [one.id for one in queries.incidents(connection)] == [firing, later]
    assert [one.id for one in queries.incidents(connection, status="resolved")] == [later]
    assert queries.firing_count(connection) == 1
    morning = Span(START - timedelta(hours=2), START - timedelta(hours=1))
    assert queries.incidents(connection, span=morning) == []
    long_after = Span(START + timedelta(days=3), START + timedelta(days=4))
    assert [one.id for one in queries.incidents(connection, span=long_after)] == [firing]


def test_an_incident_file_holds_all_that_happened(engine: Engine, connection: Connection) -> None:
    """Events in order, the evidence as it was frozen, deliveries without the receiver's address."""
    with engine.begin() as writing:
        made = add_incident(writing)
        acknowledge(writing, made, by="console")
        sent = {"delivery_id": "x", "channel": "webhook", "receiver": "https://token@example.org", "payload": {}}
        writing.execute(insert(notification).values(incident_id=made, **sent))
    file = queries.incident_file(connection, made)
    assert file is not None
    assert [event.transition for event in file.events] == ["opened", "acknowledged"]
    assert [piece.body for piece in file.evidence] == [EVIDENCE]
    assert file.incident.acknowledged_by == "console"
    assert [(one.channel, one.status) for one in file.deliveries] == [("webhook", "pending")]
    assert "token" not in repr(file)


def test_the_champion_is_the_newest_promotion(engine: Engine, connection: Connection) -> None:
    """Promoting an older version again is a roll-back, and shows as such."""
    with engine.begin() as writing:
        writing.execute(insert(model_version), [MODEL, {**MODEL, "version": "v3"}])
        for version in ("v2", "v3", "v2"):
            promotion = {"version": version, "promoted_by": "test", "reason": "better"}
            writing.execute(insert(model_promotion).values(promotion))
    champion = queries.champion(connection)
    assert champion is not None
    assert (champion.version, champion.origin) == ("v2", "retrain")
