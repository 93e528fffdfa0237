"""What documents say of watchlists is in SQL once, follows revisions, and is told again word for word."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.watchlists import Watchlist
from storage import audit, watchlists
from storage.documents import DocumentRow, Settled, store
from storage.engine import connect
from storage.partitions import Partitions
from streams import topics
from streams.publish import classified_document
from tests.support.records import START, row
from tests.support.stages import Stage, documents

TOPIC = "opinion.document.raw.v1"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def says(watchlist: str, sentiment: str = "negative", mentions: int = 1) -> dict[str, Any]:
    """A mention as a document's row holds it."""
    scores = {name: 1.0 if name == sentiment else 0.0 for name in ("negative", "neutral", "positive")}
    return {"watchlist": watchlist, "mentions": mentions, "sentiment": sentiment, "sentiment_scores": scores}


def put(engine: Engine, *rows: DocumentRow) -> list[Settled]:
    Partitions(engine).ensure(r.published_at for r in rows)
    with engine.begin() as connection:
        return store(connection, rows)


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        query = "SELECT document_id, watchlist, mentions, sentiment FROM bi.mention ORDER BY 1, 2"
        return [tuple(found) for found in connection.execute(text(query))]


def test_mentions_are_stored_with_their_document(engine: Engine) -> None:
    """Each watchlist of a document is a row with scores of its own, beside the document's verdict."""
    put(engine, row("a", 0, mentions=[says("acme"), says("bolt", "positive", 3)]), row("b", 1))
    assert stored(engine) == [("a", "acme", 1, "negative"), ("a", "bolt", 3, "positive")]
    with engine.connect() as connection:
        query = (
            "SELECT score_positive, sentiment_uncertain, document_sentiment, source, model_version FROM bi.mention"
        )
        assert connection.execute(text(f"{query} WHERE watchlist = 'bolt'")).one() == (
            1,
            False,
            "negative",
            "forum",
            "m1",
        )


def test_a_repeat_changes_no_mention(engine: Engine) -> None:
    """The same batch again leaves the very same rows."""
    batch = [row("a", 0, mentions=[says("acme")])]
    put(engine, *batch)
    with engine.connect() as connection:
        before = connection.execute(text("SELECT xmin, ctid, * FROM mention")).all()
    put(engine, *batch)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT xmin, ctid, * FROM mention")).all() == before


def test_a_revision_replaces_the_mentions(engine: Engine) -> None:
    """A newer version's mentions are the document's: gone, changed and new ones; other documents keep theirs."""
    put(engine, row("a", 0, mentions=[says("acme"), says("bolt")]), row("b", 1, mentions=[says("acme")]))
    put(engine, row("a", 2, text="edited", mentions=[says("bolt", "positive"), says("cask")]))
    assert stored(engine) == [
        ("a", "bolt", 1, "positive"),
        ("a", "cask", 1, "negative"),
        ("b", "acme", 1, "negative"),
    ]
    put(engine, row("a", 3, text="about nobody"))
    assert stored(engine) == [("b", "acme", 1, "negative")]


def test_versions_within_one_batch_leave_the_last_ones_mentions(engine: Engine) -> None:
    """A document that comes twice in a batch, before it was ever stored, has the later version's mentions."""
    put(engine, row("a", 0, mentions=[says("acme")]), row("a", 1, text="edited", mentions=[says("bolt")]))
    assert stored(engine) == [("a", "bolt", 1, "negative")]


def test_mentions_stay_with_the_first_published_at(engine: Engine) -> None:
    """A re-crawl that states another month moves neither the document nor its mentions."""
    put(engine, row("a", 0, mentions=[says("acme")]))
    put(
        engine,
        row("a", 1, text="edited", published_at=START + timedelta(days=70), mentions=[says("acme", "positive")]),
    )
    with engine.connect() as connection:
        assert connection.execute(text("SELECT published_at, sentiment FROM mention")).all() == [(START, "positive")]


def test_a_redelivered_version_tells_of_its_own_mentions(engine: Engine) -> None:
    """An event sent again says the same, also when a revision has replaced that version since."""
    batch = [row("a", 0, mentions=[says("acme")]), row("a", 1, text="edited", mentions=[says("bolt")])]
    first = [classified_document(s.published) for s in put(engine, *batch) if s.published]
    changed = [r._replace(mentions=[says("other")]) for r in batch]
    again = [classified_document(s.published) for s in put(engine, *changed) if s.published]
    assert again == first
    assert [[m.watchlist for m in event.mentions] for event in first] == [["acme"], ["bolt"]]


def test_a_mention_whose_document_is_gone_is_a_fault(engine: Engine) -> None:
    """The audit names mentions of documents that something else than a worker removed; others are no matter to it."""
    put(engine, row("a", 0, mentions=[says("acme"), says("bolt")]), row("b", 1, mentions=[says("acme")]))
    with engine.connect() as connection:
        assert audit.audit(connection, TOPIC, {}).row_faults == []
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM document WHERE id = 'a'"))
    with engine.connect() as connection:
        faults = audit.audit(connection, TOPIC, {}).row_faults
    assert [(f.id, f.detail) for f in faults if f.kind == "mention_without_document"] == [
        ("a", "mentions acme, bolt")
    ]


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_a_worker_watches_what_its_file_says(stage: Stage, tmp_path: Path) -> None:
    """From the setting to SQL and the classified topic; a file that cannot be used stops the start and is named."""
    watch = tmp_path / "watch.yaml"
    watch.write_text("watchlists:\n- {name: seven, any: [number 7]}\n- {name: all, any: [TEXT]}\n", encoding="utf-8")
    bad = tmp_path / "bad.yaml"
    bad.write_text("watchlists:\n- {name: seven, words: [x]}\n", encoding="utf-8")
    stage.produce(documents(0, 20))
    worker, refused = (
        stage.start_worker(OPINION_WATCHLISTS=str(watch)),
        stage.start_worker(OPINION_WATCHLISTS=str(bad)),
    )
    stage.wait_until_settled(20)
    assert [key[:2] for key in stored(stage.engine) if key[1] == "seven"] == [("d7", "seven")]
    assert [key[0] for key in stored(stage.engine) if key[1] == "all"] == sorted(f"d{n}" for n in range(20))
    told = {record.key: json.loads(record.value)["mentions"] for record in stage.read(topics.CLASSIFIED)}
    assert [mention["watchlist"] for mention in told[b"d7"]] == ["all", "seven"]
    assert refused.process.wait(timeout=60) != 0
    assert f'{bad}:2: watchlists[0] ("seven") words: not understood' in refused.log.read_text(encoding="utf-8")
    with stage.engine.begin() as connection:
        watchlists.put(connection, [Watchlist("own", ("x",))], by="li")
    watch.write_text("watchlists:\n- {name: own, any: [y]}\n", encoding="utf-8")
    clashing = stage.start_worker(OPINION_WATCHLISTS=str(watch))
    assert clashing.process.wait(timeout=60) != 0
    assert re.search(rf"'own' is in {watch}, and in the database, where li put it", clashing.log.read_text("utf-8"))
    assert worker.stop() == 0
