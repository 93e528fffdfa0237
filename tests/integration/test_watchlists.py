"""Watchlists in SQL: who owns them, how workers follow them, and counts that are always those of the mentions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from core.errors import ConfigError, NotFoundError, UsageError
from core.watchlists import Watchlist
from core.windows import MINUTE
from storage import watchlist_counts, watchlists
from storage.audit import AuditReport, audit
from storage.documents import DocumentRow, store
from storage.engine import connect
from storage.partitions import Partitions
from streams.watching import WatchlistFollower, sync_file
from tests.support.records import START, row, says
from tests.support.stages import Stage, documents
from tests.support.waiting import wait_for

TOPIC = "opinion.document.raw.v1"
FILE = Path("/etc/watch.yaml")
COUNTS = """
    SELECT bucket_at, watchlist, source, total, negative, neutral, positive FROM bi.watchlist_minute ORDER BY 1, 2, 3
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def put(engine: Engine, *wanted: Watchlist, by: str = "li") -> list[str]:
    with engine.begin() as connection:
        return watchlists.put(connection, wanted, by=by)


def names(engine: Engine) -> dict[str, str | None]:
    """Active watchlists and the file that owns each."""
    with engine.connect() as connection:
        return {one.name: one.file for one in watchlists.active(connection)}


def write(engine: Engine, *rows: DocumentRow) -> None:
    Partitions(engine).ensure(one.published_at for one in rows)
    with engine.begin() as connection:
        store(connection, rows)


def counts(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(found) for found in connection.execute(text(COUNTS))]


def report(engine: Engine) -> AuditReport:
    with engine.connect() as connection:
        return audit(connection, TOPIC, {})


def test_what_did_not_change_takes_no_revision(engine: Engine) -> None:
    """Only new and changed definitions are told, so an import that is repeated wakes no worker."""
    acme, bolt = Watchlist("acme", ("Acme",)), Watchlist("bolt", ("Bolt",), query="a OR b")
    assert put(engine, acme, bolt) == ["acme", "bolt"]
    with engine.connect() as connection:
        before = watchlists.newest_revision(connection)
    assert put(engine, acme, bolt) == []
    assert put(engine, acme, Watchlist("bolt", ("Bolt", "BLT"))) == ["bolt"]
    with engine.connect() as connection:
        assert [one.name for one in watchlists.changed_after(connection, before)] == ["bolt"]
        one = watchlists.one(connection, "bolt")
    assert (one.definition, one.created_by, one.file) == ({"any": ["Bolt", "BLT"]}, "li", None)


def test_removed_is_known_to_have_been_there(engine: Engine) -> None:
    """It is watched no longer, its row says since when, and it can come back."""
    put(engine, Watchlist("acme", ("Acme",)))
    with engine.begin() as connection:
        watchlists.remove(connection, "acme", by="wang")
    assert names(engine) == {}
    with engine.connect() as connection:
        found = connection.execute(text("SELECT is_active, updated_by FROM bi.watchlist")).one()
        assert tuple(found) == (False, "wang")
    with engine.begin() as connection, pytest.raises(NotFoundError):
        watchlists.remove(connection, "acme", by="wang")
    assert put(engine, Watchlist("acme", ("Acme",))) == ["acme"]


def test_a_file_owns_its_entries(engine: Engine) -> None:
    """People cannot change them; what leaves the file is watched no longer; people's own stay."""
    put(engine, Watchlist("own", ("x",)))
    sync_file(engine, FILE, [Watchlist("acme", ("Acme",)), Watchlist("bolt", ("Bolt",))])
    assert names(engine) == {"acme": str(FILE), "bolt": str(FILE), "own": None}
    with pytest.raises(UsageError, match=str(FILE)):
        put(engine, Watchlist("acme", ("Other",)))
    with engine.begin() as connection, pytest.raises(UsageError, match=str(FILE)):
        watchlists.remove(connection, "acme", by="li")
    sync_file(engine, FILE, [Watchlist("bolt", ("Bolt",))])
    assert names(engine) == {"bolt": str(FILE), "own": None}
    sync_file(engine, None, [])
    assert names(engine) == {"bolt": str(FILE), "own": None}
    with engine.begin() as connection:
        watchlists.remove(connection, "bolt", by="li", is_forced=True)
    assert names(engine) == {"own": None}


def test_a_name_of_both_is_an_error_that_names_both(engine: Engine) -> None:
    """Nothing of the file is taken then."""
    put(engine, Watchlist("acme", ("Acme",)))
    with pytest.raises(ConfigError, match=r"'acme' is in /etc/watch.yaml, and in the database, where li put it on"):
        sync_file(engine, FILE, [Watchlist("new", ("x",)), Watchlist("acme", ("Acme",))])
    assert names(engine) == {"acme": None}


def test_a_follower_takes_in_what_changed(engine: Engine) -> None:
    """Added, changed and removed ones; the object it gave before stays as it was."""
    follower = WatchlistFollower(engine)
    follower.catch_up()
    assert len(follower.current()) == 0
    put(engine, Watchlist("b", ("Bolt",)), Watchlist("a", ("Acme",)))
    follower.catch_up()
    before = follower.current()
    assert list(before.find("Bolt Acme")) == ["a", "b"]
    put(engine, Watchlist("a", ("Ace",)))
    with engine.begin() as connection:
        watchlists.remove(connection, "b", by="li")
    follower.catch_up()
    assert list(follower.current().find("Bolt Acme Ace")) == ["a"]
    assert list(before.find("Bolt Acme")) == ["a", "b"]
    follower.catch_up()
    assert follower.current() is follower.current()


@pytest.mark.parametrize(
    "definition", ['{"any": []}', '{"query": "NOT x"}', '{"any": [1]}', "[]", '{"x": 1}', "null"]
)
def test_a_bad_definition_stops_nobody(engine: Engine, definition: str) -> None:
    """Written by SQL, past every check: the follower keeps the one before, and takes in everything else."""
    follower = WatchlistFollower(engine)
    put(engine, Watchlist("a", ("Acme",)), Watchlist("b", ("Bolt",)))
    follower.catch_up()
    statement = "UPDATE watchlist SET definition = CAST(:new AS jsonb), revision = revision + 10 WHERE name = 'a'"
    with engine.begin() as connection:
        connection.execute(text(statement), {"new": definition})
    put(engine, Watchlist("c", ("Cask",)))
    follower.catch_up()
    assert list(follower.current().find("Acme Bolt Cask")) == ["a", "b", "c"]
    put(engine, Watchlist("a", ("Ace",)))
    follower.catch_up()
    assert list(follower.current().find("Acme Ace Bolt")) == ["a", "b"]


def test_another_database_is_read_from_its_beginning(engine: Engine) -> None:
    """After a restore revisions are lower than those seen: what is there then counts."""
    follower = WatchlistFollower(engine)
    put(engine, Watchlist("a", ("Acme",)), Watchlist("b", ("Bolt",)))
    follower.catch_up()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM watchlist WHERE name = 'b'"))
    follower.catch_up()
    assert list(follower.current().find("Acme Bolt")) == ["a"]


def test_counts_are_by_the_sentiment_toward_the_watchlist(engine: Engine) -> None:
    """Not by the document's own; a revision moves them, a repeat does not."""
    batch = [row("a", 0, mentions=[says("acme"), says("bolt", "positive")]), row("b", 1, mentions=[says("acme")])]
    write(engine, *batch)
    write(engine, *batch)
    assert counts(engine) == [(START, "acme", "forum", 2, 2, 0, 0), (START, "bolt", "forum", 1, 0, 0, 1)]
    write(engine, row("a", 2, text="edited", source="news", mentions=[says("acme", "neutral")]))
    assert counts(engine) == [(START, "acme", "forum", 1, 1, 0, 0), (START, "acme", "news", 1, 0, 1, 0)]
    assert report(engine).differences == []


def test_a_mention_judged_by_another_model_counts_for_that_one(engine: Engine) -> None:
    """A backfilled mention says which model it is from."""
    write(engine, row("a", 0, mentions=[says("acme", model_version="m2"), says("bolt")]))
    with engine.connect() as connection:
        query = "SELECT watchlist, model_version FROM bi.{} ORDER BY 1"
        for view in ("mention", "watchlist_minute"):
            found = connection.execute(text(query.format(view))).all()
            assert [tuple(one) for one in found] == [("acme", "m2"), ("bolt", "m1")]
    assert report(engine).is_clean


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE watchlist_minute SET total = total + 1 WHERE watchlist = 'acme'", ("acme", 3, 2)),
        ("UPDATE watchlist_minute SET negative = 1, neutral = 1 WHERE watchlist = 'acme'", ("acme", 2, 2)),
        ("DELETE FROM watchlist_minute WHERE watchlist = 'bolt'", ("bolt", 0, 1)),
        ("DELETE FROM mention WHERE document_id = 'b'", ("acme", 2, 1)),
        ("UPDATE mention SET sentiment = 'neutral' WHERE document_id = 'b'", ("acme", 2, 2)),
    ],
)
def test_the_audit_names_a_count_that_is_not_its_rows(
    engine: Engine, damage: str, found: tuple[str, int, int]
) -> None:
    """Which watchlist, what is counted, what there is; a recount mends it, and only it."""
    write(
        engine, row("a", 0, mentions=[says("acme"), says("bolt")]), row("b", 1, mentions=[says("acme")]), row("c", 2)
    )
    assert report(engine).is_clean
    with engine.begin() as connection:
        assert connection.execute(text(damage)).rowcount == 1
    [difference] = report(engine).differences
    assert (difference.watchlist, difference.counted, difference.rows, difference.bucket_at) == (*found, START)
    with engine.begin() as connection:
        assert watchlist_counts.recount(connection, START, START + MINUTE) == 1
    assert report(engine).differences == []


DOCUMENTS = st.tuples(
    st.sampled_from("abc"),
    st.integers(0, 120),
    st.sampled_from(["forum", "news"]),
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["negative", "neutral", "positive"])),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(DOCUMENTS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_counts_are_their_rows_after_any_history(engine: Engine, batches: list[list[Any]]) -> None:
    """Stored, revised, repeated and again, in batches of any kind."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE document, document_key, document_revision, mention"))
        connection.execute(text("TRUNCATE opinion_minute, watchlist_minute"))
    offset = 0
    for batch in batches:
        rows = []
        for key, seconds, source, mentioned in batch:
            offset += 1
            mentions = [says(name, sentiment) for name, sentiment in mentioned.items()] or None
            at = datetime(2024, 5, 1, 12, seconds // 60, seconds % 60, tzinfo=UTC)
            rows.append(row(key, offset, text=str(offset % 3), source=source, published_at=at, mentions=mentions))
        write(engine, *rows)
    assert report(engine).differences == []


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_every_worker_follows_without_a_restart(stage: Stage) -> None:
    """A watchlist is added while two run: the next documents of all partitions match. A bad one stops neither."""
    workers = [stage.start_worker(), stage.start_worker()]
    stage.produce(documents(0, 20))
    stage.wait_until_settled(20)
    assert counts(stage.engine) == []
    put(stage.engine, Watchlist("all", ("TEXT",)))
    with stage.engine.connect() as connection:
        revision = watchlists.newest_revision(connection)
    metric = f"opinion_streams_watchlists_revision {float(revision)}"
    for worker in workers:
        wait_for(lambda worker=worker: metric in worker.metrics(), 10, "the worker to follow")
    with stage.engine.begin() as connection:
        connection.execute(
            text("UPDATE watchlist SET definition = '[]', revision = revision + 1 RETURNING name")
        ).scalar_one()
    for worker in workers:
        wait_for(lambda worker=worker: "watchlists_unusable 1.0" in worker.metrics(), 10, "the bad one to be told")
    stage.produce(documents(20, 60))
    stage.wait_until_settled(60)
    with stage.engine.connect() as connection:
        found = connection.execute(text("SELECT document_id FROM bi.mention WHERE watchlist = 'all'")).scalars()
        assert sorted(found) == sorted(f"d{n}" for n in range(20, 60))
    assert sum(one[3] for one in counts(stage.engine)) == 40
    stage.wait_until_committed()
    assert stage.audit().is_clean
    assert [worker.stop() for worker in workers] == [0, 0]
