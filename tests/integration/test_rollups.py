"""Counts per hour and day against the minute counts, whatever happens to the past."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, text

from opinion.rolling_up import RollUpJob
from storage import erasure, reporting_zone, rollups, series, watchlist_counts
from storage.documents import DocumentRow, store
from storage.engine import connect
from storage.partitions import Partitions
from storage.series import Filters, Span
from storage.stored_documents import lock, move_counts
from tests.support.copies import mixed_rows
from tests.support.records import START, row, says
from tests.support.rows import store_rows

COUNTS = "total, negative, neutral, positive, copies, negative_copies, neutral_copies, positive_copies"
KEYS = {
    "opinion_hour": ("opinion_minute", "source, kind, lang, topic_label, model_version"),
    "topic_hour": ("opinion_minute", "topic_label, lang"),
    "source_hour": ("opinion_minute", "source, lang"),
    "watchlist_hour": ("watchlist_minute", "watchlist, source, kind, lang, topic_label, model_version"),
    "watchlist_total_hour": ("watchlist_minute", "watchlist, lang"),
    "source_day": ("opinion_minute", "source, lang"),
    "opinion_day": ("opinion_minute", "source, kind, lang, topic_label, model_version"),
    "watchlist_day": ("watchlist_minute", "watchlist, source, kind, lang, topic_label, model_version"),
}
JUDGED_AGAIN = text("""
    UPDATE document AS d SET topic_label = 'health', sentiment = 'positive', model_version = 'm9'
    FROM document_key AS k WHERE k.id = ANY(:ids) AND d.id = k.id AND d.published_at = k.published_at
""")
FOLD_NOW = timedelta(seconds=-1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def wrong_lines(engine: Engine) -> list[tuple[object, ...]]:
    """Every line, by every dimension, that a view has and the minutes do not, or the other way round."""
    wrong: list[tuple[object, ...]] = []
    with engine.connect() as connection:
        for table, (minutes, key) in KEYS.items():
            unit = "'hour', bucket_at, 'UTC'" if table.endswith("hour") else "'day', bucket_at, z.zone"
            sums = ", ".join(f"sum({name.strip()})::bigint" for name in COUNTS.split(","))
            ours = f"SELECT bucket_at, {key}, {COUNTS} FROM {rollups.view_of(table)} WHERE total > 0"  # noqa: S608
            right = (
                f"SELECT date_trunc({unit}), {key}, {sums} FROM {minutes}, reporting_zone AS z "  # noqa: S608
                f"GROUP BY 1, {key} HAVING sum(total) > 0"
            )
            for one, other in ((ours, right), (right, ours)):
                found = connection.execute(text(f"({one}) EXCEPT ALL ({other})"))
                wrong += [(table, one is ours, *line) for line in found]
    return wrong


def rolled_up(connection: Connection) -> tuple[int, int, int]:
    """How many hours are rolled up, how many days, and how many hours are not."""
    count = "SELECT count(DISTINCT bucket_at) FROM "
    hours, days = (connection.scalar(text(count + table)) or 0 for table in ("opinion_hour", "opinion_day"))
    return hours, days, rollups.waiting(connection)


def test_views_equal_the_minutes_whatever_happens_to_the_past(engine: Engine) -> None:
    """Batches with late data, revisions and copies, verdicts written anew, recounts, erasure, another zone, with
    folding in between or not: no view ever shows a number that the minutes do not."""
    rng = random.Random(11)
    rows = mixed_rows(rng, 360, days=6)
    fold = RollUpJob(engine, quiet=FOLD_NOW)
    zones = iter(["Asia/Shanghai", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Kathmandu"])
    for nth in range(0, 360, 30):
        store_rows(engine, rows[nth : nth + 30])
        assert wrong_lines(engine) == []
        if rng.random() < 0.6:
            fold(lambda: False)
            assert wrong_lines(engine) == []
        if nth % 90 == 60:
            with engine.begin() as connection:
                before = lock(connection, [one.id for one in rows[:20]])
                after = [
                    one._replace(topic_label="health", sentiment="positive", model_version="m9") for one in before
                ]
                connection.execute(JUDGED_AGAIN, {"ids": [one.id for one in before]})
                move_counts(connection, list(zip(before, after, strict=True)))
            assert wrong_lines(engine) == []
            with engine.begin() as connection:
                reporting_zone.keep(connection, next(zones))
            assert wrong_lines(engine) == []
    fold(lambda: False)
    with engine.begin() as connection:
        erasure.erase(connection, [one.id for one in rows[::7]], note="asked")
        connection.execute(text("UPDATE watchlist_minute SET total = 9, negative = 9 WHERE watchlist = 'x'"))
    assert wrong_lines(engine) == []
    with engine.begin() as connection:
        watchlist_counts.recount(connection, START, START + timedelta(days=7))
    assert wrong_lines(engine) == []
    fold(lambda: False)
    assert wrong_lines(engine) == []
    with engine.begin() as connection:
        assert rolled_up(connection)[2] == 0
        connection.execute(text("TRUNCATE opinion_minute"))
    assert wrong_lines(engine) == []


def test_a_batch_that_commits_while_its_hour_is_folded_is_not_lost(engine: Engine) -> None:
    """The folding has not seen the batch, so the batch's own mark has to outlive it."""
    Partitions(engine).ensure([START])
    store_rows(engine, [row("first", 0, text="first")])
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as folding:
        folding.execute(text("SELECT 1 FROM stale_hour LIMIT 1")).all()
        with engine.begin() as writing:
            store(writing, [row("second", 1, text="second")])
        assert rollups.fold_hours(folding, rollups.ROLL_UPS[0], FOLD_NOW) == 1
        folding.commit()
    assert wrong_lines(engine) == []
    with engine.connect() as connection:
        assert rolled_up(connection) == (1, 0, 1)
        assert connection.scalar(text("SELECT sum(total) FROM bi.sentiment_day")) == 2


def test_what_rests_is_read_from_its_roll_up_and_is_audited(engine: Engine) -> None:
    """An hour and a day that nothing changes cost a line each; one that is not the sum of its minutes is told."""
    rows = [
        row(f"d{nth}", nth, text=f"text {nth}", published_at=START + timedelta(hours=nth % 48)) for nth in range(96)
    ]
    store_rows(engine, rows)
    RollUpJob(engine, quiet=timedelta(hours=1))(lambda: False)
    with engine.connect() as connection:
        assert rolled_up(connection) == (0, 0, 48)  # changed just now
    RollUpJob(engine, quiet=FOLD_NOW)(lambda: False)
    begin, end = datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
    with engine.begin() as connection:
        hours, days, waiting = rolled_up(connection)
        assert (hours, waiting) == (48, 0)
        assert days in {2, 3}
        assert rollups.differences(connection, begin, end) == []
        connection.execute(
            text("UPDATE opinion_hour SET total = total + 1 WHERE bucket_at = :at"),
            {"at": START + timedelta(hours=3)},
        )
        (found,) = rollups.differences(connection, begin, end)
    assert (found.roll_up, found.counted, found.rolled_up) == ("opinion_hour", 2, 3)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kolkata"])
def test_series_add_up_whichever_counts_they_are_read_from(engine: Engine, zone: str) -> None:
    """Spans that begin and end between hours, hours rolled up and stale, every filter: each figure is the
    number of documents that are asked for."""
    rng = random.Random(5)
    rows = [
        row(
            f"d{nth}",
            nth,
            text=f"text {nth}",
            published_at=START + timedelta(minutes=rng.randrange(14 * 1440)),
            topic_label=rng.choice(("finance", "health", "travel")),
            source=rng.choice(("forum", "news")),
            lang=rng.choice(("zh", "en")),
            sentiment=rng.choice(("negative", "positive")),
            mentions=[says("tea", "negative")] if rng.random() < 0.4 else None,
        )
        for nth in range(600)
    ]
    store_rows(engine, rows[:400])
    with engine.begin() as connection:
        reporting_zone.keep(connection, zone)
    RollUpJob(engine, quiet=FOLD_NOW)(lambda: False)
    store_rows(engine, rows[400:])
    columns = {"topic": "topic_label", "source": "source", "language": "lang"}
    with engine.connect() as connection:
        for _ in range(40):
            start = START + timedelta(minutes=rng.randrange(7 * 1440))
            span = Span(start, start + timedelta(minutes=rng.randrange(1, rng.choice((2, 8)) * 1440)))
            given = {name: rng.choice(values) for name, values in CHOICES.items() if rng.random() < 0.3}
            filters = Filters(**given)
            wanted = [
                one
                for one in rows
                if ("watchlist" not in given or one.mentions)
                and all(getattr(one, column) == given[name] for name, column in columns.items() if name in given)
            ]
            inside = [one for one in wanted if span.start <= one.published_at < span.end]
            assert series.total(connection, span, filters).total == len(inside)
            by: series.Group = rng.choice(tuple(columns))  # type: ignore[arg-type]
            groups = series.breakdown(connection, span, by, filters)
            assert {one.key: one.counts.total for one in groups} == Counter(
                getattr(one, columns[by]) for one in inside
            )
            before = [one for one in wanted if span.start - span.length <= one.published_at < span.start]
            keys = {one.key for one in groups}
            assert sum(one.before.total for one in groups) == sum(getattr(one, columns[by]) in keys for one in before)
            buckets = series.buckets_of(span, timedelta(hours=rng.choice((1, 6, 24))), ZoneInfo(zone))
            (line,) = series.lines(connection, buckets, ZoneInfo(zone), filters=filters)
            expected = [sum(at <= one.published_at < at + buckets.step for one in wanted) for at in buckets.starts]
            assert line.total == expected


CHOICES = {
    "topic": ("finance", "health"),
    "source": ("forum", "news"),
    "language": ("zh", "en"),
    "watchlist": ("tea",),
}


def test_an_hour_keeps_one_mark_however_many_batches_come(engine: Engine) -> None:
    """The marks of an hour that never rests do not pile up."""
    made: list[DocumentRow] = [row(f"d{nth}", nth, text=f"text {nth}") for nth in range(5)]
    for one in made:
        store_rows(engine, [one])
    with engine.begin() as connection:
        assert rollups.thin_marks(connection) >= 4
        assert connection.scalar(text("SELECT count(*) FROM stale_hour WHERE counts = 'opinion_minute'")) == 1
    assert wrong_lines(engine) == []
