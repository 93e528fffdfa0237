"""Copies form clusters in SQL: the same whatever the order, the batches and the number of workers."""

import random
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select, text

from storage import audit, copy_search, migrate, watchlist_counts
from storage.copies import Move, settle
from storage.copy_retention import forget_before
from storage.documents import DocumentRow, Settled, store
from storage.engine import connect
from storage.erasure import erase
from storage.partitions import Partitions
from storage.row_audit import EARLIEST, LATEST, Slice, check_slice
from storage.tables import copy_band, copy_cluster, copy_text
from tests.support.copies import (
    OTHER,
    STORY,
    WIRE,
    expected_clusters,
    expected_voices,
    mixed_rows,
    newest,
    stored_clusters,
    stored_voices,
)
from tests.support.records import START, row, says
from tests.support.rows import waits_for_a_lock
from tests.support.waiting import wait_for

DAY = timedelta(days=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def put(engine: Engine, *rows: DocumentRow) -> list[Settled]:
    Partitions(engine).ensure(r.published_at for r in rows)
    with engine.begin() as connection:
        return store(connection, rows)


def check(engine: Engine) -> None:
    with engine.connect() as connection:
        found = audit.audit(connection, "raw", {})
    assert found.is_clean, (found.differences, found.row_faults)


def voices(engine: Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        query = "SELECT sum(total), sum(independent) FROM bi.sentiment_day"
        total, independent = connection.execute(text(query)).one()
        return int(total), int(independent)


def test_one_story_reposted_fifty_times_is_one_voice(engine: Engine) -> None:
    """Fifty reposts, with other head and foot lines, are one independent voice with fifty carriers."""
    rows = [
        row(
            f"d{n}",
            n,
            text=f"【快讯{n % 3}】{STORY}来源:{n % 5}号",
            source=f"s{n % 7}",
            published_at=START + n * DAY / 50,
        )
        for n in range(50)
    ]
    settled = put(engine, *rows)
    assert voices(engine) == (50, 1)
    assert {one.voice for one in settled} == {"d0"}
    with engine.connect() as connection:
        [found] = connection.execute(text("SELECT * FROM bi.copy_cluster")).all()
    assert (found.copy_cluster, found.carriers, found.sources) == ("d0", 50, 7)
    assert (found.first_at, found.last_at) == (rows[0].published_at, rows[-1].published_at)
    check(engine)


def test_a_thousand_who_say_the_same_word_are_a_thousand_voices(engine: Engine) -> None:
    """Texts that are too short to be copied are never copies, however alike."""
    put(engine, *(row(f"d{n}", n, text="支持!") for n in range(30)))
    assert voices(engine) == (30, 30)
    assert stored_clusters(engine) == set()
    check(engine)


def test_an_earlier_document_that_comes_late_takes_the_voice(engine: Engine) -> None:
    """The counts move from the minute of the old voice to that of the new one."""
    put(engine, row("b", 0, text=STORY, sentiment="positive"), row("c", 1, text=STORY, published_at=START + DAY / 2))
    put(engine, row("a", 2, text=STORY + "完", published_at=START - DAY))
    with engine.connect() as connection:
        query = "SELECT sum(independent_negative), sum(independent) FROM bi.sentiment_minute WHERE bucket_at = :at"
        assert connection.execute(text(query), {"at": START - DAY}).one() == (1, 1)
        assert connection.execute(text(query), {"at": START}).one() == (0, 0)
    check(engine)


def test_a_late_document_joins_two_clusters(engine: Engine) -> None:
    """Two runs of one story, nine days apart, become one when a copy between them arrives; without it they part."""
    rows = [
        row(key, n, text=STORY, published_at=START + days * DAY)
        for n, (key, days) in enumerate([("a", 0), ("b", 0), ("c", 9), ("d", 9)])
    ]
    put(engine, *rows)
    assert stored_clusters(engine) == {frozenset("ab"), frozenset("cd")}
    put(engine, row("m", 5, text=STORY, published_at=START + 5 * DAY))
    assert stored_clusters(engine) == {frozenset("abcdm")}
    put(engine, row("m", 6, text=OTHER))
    assert stored_clusters(engine) == {frozenset("ab"), frozenset("cd")}
    assert voices(engine) == (5, 3)
    check(engine)


def test_a_later_text_that_joins_two_stories_leaves_them_their_voices(engine: Engine) -> None:
    """What is published later never changes who was a voice; when the joining text is the earliest, both follow."""
    put(engine, row("a", 0, text=STORY), row("b", 1, text=WIRE))
    put(engine, row("m", 2, text=f"{STORY}{WIRE}", published_at=START + DAY))
    assert stored_clusters(engine) == {frozenset("abm")}
    assert stored_voices(engine) == {"a", "b"}
    put(engine, row("e", 3, text=f"{WIRE}{STORY}", published_at=START - DAY))
    assert stored_voices(engine) == {"e"}
    put(engine, row("e", 4, text=OTHER))
    assert stored_voices(engine) == {"a", "b", "e"}
    check(engine)


def test_a_revision_of_the_voice_hands_it_on(engine: Engine) -> None:
    """When the earliest document says something else, the next one is the voice; when it says it again, it is."""
    put(engine, row("a", 0, text=STORY), row("b", 1, text=STORY, published_at=START + DAY))
    [left] = put(engine, row("a", 2, text=OTHER))
    assert left.voice == "a"
    assert stored_clusters(engine) == set()
    assert voices(engine) == (2, 2)
    put(engine, row("a", 3, text=STORY))
    assert stored_clusters(engine) == {frozenset("ab")}
    check(engine)


def test_a_new_verdict_on_a_copy_moves_its_counts(engine: Engine) -> None:
    """A revision that keeps the text, but not the sentiment, stays a copy and is counted so under the new one."""
    put(engine, row("a", 0, text=STORY), row("b", 1, text=STORY))
    put(engine, row("b", 2, text=STORY, content_hash=b"likes", sentiment="positive"))
    with engine.connect() as connection:
        query = "SELECT negative_copies, positive_copies FROM opinion_minute"
        assert connection.execute(text(query)).one() == (0, 1)
    check(engine)


def watched(engine: Engine, at: datetime = START) -> dict[str, tuple[int, int, int]]:
    """By watchlist: documents, voices, and voices that are negative toward it, in a minute."""
    query = """
        SELECT watchlist, sum(total), sum(independent), sum(independent_negative) FROM bi.watchlist_minute
        WHERE bucket_at = :at GROUP BY 1
    """
    with engine.connect() as connection:
        found = connection.execute(text(query), {"at": at}).all()
    return {name: (int(total), int(voices), int(negative)) for name, total, voices, negative in found}


def test_a_watchlist_counts_voices(engine: Engine) -> None:
    """By the sentiment toward it; a voice that comes late or is erased moves them, a recount makes the same."""
    put(
        engine,
        row("a", 0, text=STORY, sentiment="positive", mentions=[says("acme"), says("bolt", "positive")]),
        *[row(f"b{n}", 1 + n, text=STORY, published_at=START, mentions=[says("acme")]) for n in range(9)],
        row("c", 10, text=OTHER, mentions=[says("acme")]),
    )
    before = {"acme": (11, 2, 2), "bolt": (1, 1, 0)}
    assert watched(engine) == before
    put(engine, row("z", 11, text=STORY, published_at=START - DAY, mentions=[says("bolt")]))
    assert watched(engine) == {"acme": (11, 1, 1), "bolt": (1, 0, 0)}
    assert watched(engine, START - DAY) == {"bolt": (1, 1, 1)}
    put(engine, row("b1", 12, text=STORY, content_hash=b"edited", mentions=[says("acme", "positive")]))
    assert watched(engine) == {"acme": (11, 1, 1), "bolt": (1, 0, 0)}
    check(engine)
    with engine.begin() as connection:
        erase(connection, ["z", "b2"])
    assert watched(engine) == {"acme": (10, 2, 2), "bolt": (1, 1, 0)}
    assert watched(engine, START - DAY) == {}
    check(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE watchlist_minute SET copies = 1, negative_copies = 0"))
        watchlist_counts.recount(connection, START - DAY, START + DAY)
    assert watched(engine) == {"acme": (10, 2, 2), "bolt": (1, 1, 0)}
    check(engine)


def test_an_upgrade_counts_the_copies_that_are_there(engine: Engine, database_url: str) -> None:
    """What was stored before a watchlist's copies were counted is counted by the migration."""
    put(engine, *mixed_rows(random.Random(7), 60))
    query = text("SELECT * FROM watchlist_minute WHERE copies > 0 ORDER BY 1, 2, 3, 4, 5, 6, 7")
    with engine.connect() as connection:
        before = connection.execute(query).all()
    migrate.downgrade(database_url, "0012")
    migrate.upgrade(database_url)
    with engine.connect() as connection:
        assert connection.execute(query).all() == before != []
    check(engine)


def test_redelivery_has_no_effect(engine: Engine) -> None:
    """The same batch again leaves the very same rows, and tells the same of whose copies they are."""
    batch = [row("a", 0, text=STORY), row("b", 1, text=STORY), row("c", 2, text=OTHER), row("c", 3, text=STORY)]
    first = put(engine, *batch)
    queries = [
        select(text("xmin, ctid"), table).order_by(text("ctid")) for table in (copy_text, copy_band, copy_cluster)
    ]
    with engine.connect() as connection:
        before = [connection.execute(query).all() for query in queries]
    again = put(engine, *batch)
    with engine.connect() as connection:
        assert [connection.execute(query).all() for query in queries] == before
    assert [one.voice for one in again] == [one.voice for one in first]


def test_what_does_not_add_up_is_a_fault(engine: Engine) -> None:
    """The audit sees a copy that no count knows of, a cluster with wrong figures, and a text that is gone."""
    rows = [row("a", 0, text=STORY), row("b", 1, text=STORY), row("c", 2, text=OTHER)]
    put(engine, *[one._replace(mentions=[says("acme")]) for one in rows])
    for damage, kinds in (
        ("UPDATE opinion_minute SET copies = 0, negative_copies = 0", {"difference"}),
        ("UPDATE watchlist_minute SET copies = 0, negative_copies = 0", {"difference"}),
        ("UPDATE watchlist_minute SET negative_copies = 0, neutral_copies = 1", {"difference"}),
        ("UPDATE copy_cluster SET documents = 3", {"cluster_broken"}),
        ("UPDATE copy_text SET documents = 5 WHERE cluster IS NOT NULL", {"cluster_broken"}),
        ("DELETE FROM copy_text WHERE cluster IS NULL", {"cluster_broken"}),
    ):
        with engine.connect() as connection:
            connection.execute(text(damage))
            found = check_slice(connection, Slice(EARLIEST, LATEST))
            connection.rollback()
        assert {fault.kind for fault in found.faults} | {"difference" for _ in found.differences} == kinds, damage


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_any_order_and_batches_give_the_same_clusters(engine: Engine, seed: int, size: int) -> None:
    """Whatever comes, in whatever order and batches, clusters and voices are those of all pairs compared, and every
    count of copies, also of a watchlist's, is that of the rows."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE document, document_key, document_revision, mention"))
        connection.execute(text("TRUNCATE opinion_minute, watchlist_minute"))
        connection.execute(text("TRUNCATE copy_text, copy_band, copy_cluster"))
    rng = random.Random(seed)
    rows = [one._replace(record_offset=n) for n, one in enumerate(_shuffled(mixed_rows(rng, 40), rng))]
    for start in range(0, len(rows), size):
        put(engine, *rows[start : start + size])
    assert stored_clusters(engine) == expected_clusters(newest(rows))
    assert stored_voices(engine) == expected_voices(newest(rows))
    check(engine)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_at_once_give_the_same_clusters(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, seed: int, workers: int
) -> None:
    """Workers that store copies of one text at the same moment leave the clusters and voices that one alone would."""
    monkeypatch.setattr(copy_search, "TRIED_FIRST", 1 if seed % 2 else copy_search.TRIED_FIRST)
    rng = random.Random(1000 + seed)
    rows = _shuffled(mixed_rows(rng, 150), rng)
    shares: list[list[DocumentRow]] = [[] for _ in range(workers)]
    for one in rows:  # an id is the key of its record: all its versions go to one worker, in order
        nth = int(one.id[1:]) % workers
        shares[nth].append(one._replace(record_partition=nth, record_offset=len(shares[nth])))
    Partitions(engine).ensure(one.published_at for one in rows)
    gate, errors = threading.Barrier(workers), []

    def work(share: Sequence[DocumentRow], size: int) -> None:
        for start in range(0, 150, size):
            gate.wait()
            if batch := share[start : start + size]:
                try:
                    with engine.begin() as connection:
                        store(connection, batch)
                except Exception as error:
                    errors.append(error)

    threads = [threading.Thread(target=work, args=(share, 5)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    remaining = newest([one for share in shares for one in share])
    assert stored_clusters(engine) == expected_clusters(remaining)
    assert stored_voices(engine) == expected_voices(remaining)
    check(engine)


def test_copies_stored_at_the_same_moment_wait_for_each_other(engine: Engine) -> None:
    """A worker that stores a copy of what another has not committed yet waits, and then finds it."""
    Partitions(engine).ensure([START])
    with engine.begin() as first:
        store(first, [row("a", 0, text=STORY)])
        other = threading.Thread(target=put, args=(engine, row("b", 1, text=f"转载:{STORY}")))
        other.start()
        wait_for(lambda: waits_for_a_lock(engine), 10, "the second worker to wait for the first")
    other.join()
    assert stored_clusters(engine) == {frozenset("ab")}
    check(engine)


def test_strangers_stored_at_the_same_moment_do_not_wait(engine: Engine) -> None:
    """Workers hold each other up over copies only."""
    Partitions(engine).ensure([START])
    with engine.begin() as first:
        store(first, [row("a", 0, text=STORY)])
        put(engine, row("b", 1, text=OTHER, source="news"))
    assert stored_clusters(engine) == set()


def test_what_retention_drops_leaves_its_clusters(engine: Engine) -> None:
    """Of a cluster that reaches back before the kept time the rest goes on, under the earliest that is kept."""
    rows = [
        row(key, n, text=body, published_at=START + days * DAY, mentions=[says("acme")])
        for n, (key, days, body) in enumerate(
            [("a", -3, STORY), ("b", 0, STORY), ("c", 1, STORY + "完"), ("x", -2, OTHER), ("y", 0, WIRE)]
        )
    ]
    put(engine, *rows)
    assert voices(engine) == (5, 3)
    with engine.begin() as connection:
        while forget_before(connection, START.replace(hour=0), rows=1):
            pass
        for table, at in (
            ("document", "published_at"),
            ("document_key", "published_at"),
            ("mention", "published_at"),
            ("opinion_minute", "bucket_at"),
            ("watchlist_minute", "bucket_at"),
        ):
            connection.execute(text(f"DELETE FROM {table} WHERE {at} < :at"), {"at": START.replace(hour=0)})  # noqa: S608
    assert stored_clusters(engine) == {frozenset("bc")}
    assert voices(engine) == (3, 2)
    check(engine)
    put(engine, row("d", 9, text=STORY), row("e", 10, text=OTHER))
    assert stored_clusters(engine) == {frozenset("bcd")}
    check(engine)


def test_the_index_is_empty_when_everything_is_forgotten(engine: Engine) -> None:
    """Nothing of a dropped text stays behind: no signature, no key, no cluster."""
    put(engine, *mixed_rows(random.Random(5), 60))
    with engine.begin() as connection:
        while forget_before(connection, START + 400 * DAY, rows=7):
            pass
        left = [connection.scalar(select(func.count()).select_from(t)) for t in (copy_text, copy_band, copy_cluster)]
    assert left == [0, 0, 0]


def test_a_deleted_document_leaves_its_cluster(engine: Engine) -> None:
    """Whoever deletes a document settles it as a move to nowhere; the voice goes to the next one."""
    [gone, _] = put(engine, row("a", 0, text=STORY), row("b", 1, text=STORY, published_at=START + DAY))
    assert gone.published is not None
    with engine.begin() as connection:
        _delete(connection, gone.published)
        settlement = settle(connection, [Move(gone.published, None)], {})
    assert [(one.after.id, one.was_copy, one.is_copy) for one in settlement.standings if one.after] == [
        ("b", True, False)
    ]
    assert stored_clusters(engine) == set()


def _delete(connection: Connection, version: DocumentRow) -> None:
    connection.execute(text("DELETE FROM document WHERE id = :id"), {"id": version.id})


def _shuffled(rows: Sequence[DocumentRow], rng: random.Random) -> list[DocumentRow]:
    """Another order, in which every row is a newer crawl than those before it."""
    return [
        one._replace(crawled_at=START + timedelta(seconds=n), recorded_at=START + timedelta(seconds=n))
        for n, one in enumerate(rng.sample(list(rows), len(rows)))
    ]
