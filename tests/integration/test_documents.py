import threading
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.records import Document
from storage import audit
from storage.documents import KEPT_METRICS, store
from storage.engine import connect
from storage.human_labels import documents_by_id
from storage.partitions import Partitions
from streams.classify import document_text
from tests.support.records import START, row


@pytest.fixture
def engine(database_url):
    engine = connect(database_url)
    yield engine
    engine.dispose()


def put(engine, *rows):
    Partitions(engine).ensure(r.published_at for r in rows)
    with engine.begin() as connection:
        return store(connection, rows)


def stored(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT id, revision, text, published_at FROM document ORDER BY id")).all()


def report(engine):
    with engine.connect() as connection:
        return audit.audit(connection, "raw", {})


def test_same_batch_again_changes_nothing_and_publishes_the_same(engine):
    """A batch redelivered after a crash has no effect in SQL, and its versions are published once more."""
    batch = [row("a", 0), row("b", 1), row("a", 2, text="edited")]
    first = put(engine, *batch)
    again = put(engine, *batch)
    assert [result.fate for result in first] == ["stored", "stored", "revision"]
    assert [result.fate for result in again] == ["repeat", "repeat", "repeat"]
    assert [r.published._replace(stored_at=START) for r in again] == [
        r.published._replace(stored_at=START) for r in first
    ]
    assert report(engine).is_clean


def test_repeat_of_a_stored_document_is_not_published(engine):
    """The same content crawled again is a repeat without any effect."""
    put(engine, row("a", 0))
    [result] = put(engine, row("a", 5))
    assert (result.fate, result.published) == ("repeat", None)


def test_revision_keeps_the_first_published_at_across_partitions(engine):
    """A re-crawl that states another day is the same row, in the partition where it began."""
    put(engine, row("a", 0))
    put(engine, row("a", 1, text="edited", published_at=START + timedelta(days=70)))
    assert stored(engine) == [("a", 1, "edited", START)]
    assert report(engine).is_clean


def test_older_crawl_that_arrives_late_changes_nothing(engine):
    """Versions are ordered by when they were crawled, not by when they arrive."""
    put(engine, row("a", 0, text="new", crawled_at=START + timedelta(hours=2)))
    [result] = put(engine, row("a", 1, text="old", crawled_at=START))
    assert result.fate == "repeat"
    assert stored(engine)[0].text == "new"


def test_recreated_topic_does_not_hide_new_content(engine):
    """Offsets that begin anew, after a topic was recreated, are not taken for redeliveries."""
    put(engine, row("a", 900, text="before", record_offset=900))
    [result] = put(engine, row("a", 1000, text="after", record_offset=3))
    assert result.fate == "revision"


def test_history_keeps_every_version(engine):
    """What a revision replaced can still be read."""
    put(engine, row("a", 0, text="one"), row("a", 1, text="two"))
    put(engine, row("a", 2, text="three"))
    with engine.connect() as connection:
        history = connection.execute(text("SELECT revision, text FROM document_revision ORDER BY revision")).all()
    assert history == [(0, "one"), (1, "two")]


VERSIONS = st.tuples(
    st.sampled_from("abc"), st.sampled_from(["good", "bad", "worse"]), st.sampled_from([0, 1, 40]), st.booleans()
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VERSIONS, min_size=1, max_size=12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_counts_equal_rows_whatever_comes(engine, versions, size, random):
    """Minute counts stay equal to the rows under any mix of repeats, revisions, batch sizes and redeliveries."""
    rows = [
        row(key, n, text=body, published_at=START + timedelta(days=day), sentiment="negative" if bad else "positive")
        for n, (key, body, day, bad) in enumerate(versions)
    ]
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    for batch in batches:
        put(engine, *batch)
        if random.random() < 0.3:
            put(engine, *batch)
    found = report(engine)
    assert found.is_clean, found.differences


def test_parallel_writers_of_the_same_ids_do_not_deadlock(engine):
    """Batches with the same ids in opposite order, written at once, all get through."""
    Partitions(engine).ensure([START])
    errors = []

    def write(partition):
        keys = [f"k{n}" for n in range(30)]
        for n in range(8):
            ordered = keys if (partition + n) % 2 else keys[::-1]
            rows = [
                row(k, n * 100 + i, text=f"{partition}-{n}", record_partition=partition)
                for i, k in enumerate(ordered)
            ]
            try:
                with engine.begin() as connection:
                    store(connection, rows)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=write, args=(partition,)) for partition in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert report(engine).is_clean
    assert Counter(r.id for r in stored(engine)) == {f"k{n}": 1 for n in range(30)}


def test_the_views_say_what_the_model_was_unsure_of(engine):
    """Doubt is stored per head, kept with a replaced version, and readable in the documented view."""
    put(engine, row("a", 0, topic_uncertain=True, sentiment_uncertain=True))
    put(engine, row("a", 1, text="edited", sentiment_uncertain=True))
    with engine.connect() as connection:
        now = connection.execute(text("SELECT topic_uncertain, sentiment_uncertain FROM bi.document")).one()
        before = connection.execute(text("SELECT topic_uncertain, sentiment_uncertain FROM document_revision")).one()
    assert (now, before) == ((False, True), (True, True))


def test_a_worker_of_the_version_before_still_stores(engine):
    """While versions overlap, rows written without the marks of doubt say null, and can be revised."""
    Partitions(engine).ensure([START])
    put(engine, row("a", 0))
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE incoming (LIKE document) ON COMMIT DROP"))
        columns = ", ".join(name for name in row("a")._fields if not name.endswith("_uncertain"))
        copy = "INSERT INTO {} ({}) SELECT {} FROM {}"
        connection.execute(text(copy.format("incoming", columns, columns, "document")))
        connection.execute(text("UPDATE incoming SET id = 'b'"))
        connection.execute(text("INSERT INTO document_key SELECT id, published_at FROM incoming"))
        connection.execute(text(copy.format("document", columns, columns, "incoming")))
    [result] = put(engine, row("b", 7, text="edited"))
    assert result.fate == "revision"
    assert result.published.sentiment_uncertain is False


def history(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT revision, likes FROM document_revision ORDER BY revision")).all()


def counts(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT xmin, ctid, * FROM opinion_minute")).all()


def test_new_likes_move_the_row_and_no_count(engine):
    """A change of likes alone is a revision with its history; the rows of the minute counts are not even touched."""
    put(engine, row("a", 0, likes=1))
    before = counts(engine)
    [result] = put(engine, row("a", 1, likes=5, content_hash=b"5 likes"))
    assert (result.fate, result.published.revision, result.published.likes) == ("revision", 1, 5)
    assert history(engine) == [(0, 1)]
    assert counts(engine) == before
    assert report(engine).is_clean


def test_a_repeat_writes_nothing(engine):
    """The same content again touches neither row nor history nor counts."""
    put(engine, row("a", 0))
    with engine.connect() as connection:
        before = connection.execute(text("SELECT xmin, ctid, * FROM document")).all()
    numbers = counts(engine)
    put(engine, row("a", 7))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT xmin, ctid, * FROM document")).all() == before
    assert (history(engine), counts(engine)) == ([], numbers)


def test_likes_of_a_popular_post_fill_no_history(engine):
    """After twenty revisions new likes are taken in place: newest numbers, bounded history, no event; an edit is
    still a revision, and the batch redelivered has no effect."""
    liked = [row("a", n, likes=n, content_hash=f"{n}".encode()) for n in range(KEPT_METRICS + 5)]
    settled = put(engine, *liked)
    assert [one.fate for one in settled] == ["stored", *["revision"] * (KEPT_METRICS + 4)]
    assert [one.published is not None for one in settled] == [True] * (KEPT_METRICS + 1) + [False] * 4
    assert len(history(engine)) == KEPT_METRICS
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT likes FROM document")) == KEPT_METRICS + 4
    again = put(engine, *liked)
    assert {one.fate for one in again} <= {"repeat", "revision"}
    assert [one.published and one.published.revision for one in again[: KEPT_METRICS + 1]] == list(
        range(KEPT_METRICS + 1)
    )
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT likes FROM document")) == KEPT_METRICS + 4
    [edit] = put(engine, row("a", 99, text="edited"))
    assert (edit.fate, edit.published.revision) == ("revision", KEPT_METRICS + 1)
    assert report(engine).is_clean


def test_sql_reads_a_document_as_the_classifier_does(engine):
    """Labels are linked by, and models trained on, what the classifier read: title, own and quoted words."""
    said = [("t", "own", "quoted"), ("own", "own words", None), (None, "own", "quoted"), ("t", "a //@b:c", "@b:c")]
    put(engine, *[row(f"{n}", n, title=title, text=own, quoted_text=q) for n, (title, own, q) in enumerate(said)])
    with engine.connect() as connection:
        read = documents_by_id(connection, ["0", "1", "2", "3"])
    assert [read[f"{n}"].text for n in range(4)] == [
        document_text(Document(title=title, text=own, quoted_text=q)) for title, own, q in said
    ]
