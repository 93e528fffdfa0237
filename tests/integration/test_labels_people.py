"""What people say of a document: shown at once, wherever its verdict is; the verdict and the counts stay."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, text

from storage import audit, erasure, human_labels, people_verdicts
from storage.engine import connect
from storage.human_labels import Statement
from storage.queries import DocumentView, newest_documents
from storage.search import Wanted, search
from streams.labels import take_labels
from tests.support.records import START, row
from tests.support.rows import store_rows, waits_for_a_lock
from tests.support.waiting import wait_for

MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """One document that the model takes for negative and about finance."""
    engine = connect(database_url)
    store_rows(engine, [row("weibo:1", text="电池起火", title="新闻", source="weibo")])
    yield engine
    engine.dispose()


def say(engine: Engine, answer: str, *, by: str = "li", head: Any = "sentiment", day: int = 0, **more: Any) -> None:
    """Somebody answers about the document."""
    with engine.begin() as connection:
        document = human_labels.documents_by_id(connection, ["weibo:1"]).get("weibo:1")
        at = MAY + timedelta(days=day)
        stated = Statement(head, answer, "weibo:1", None, "", "", by, at)._replace(**more)
        people_verdicts.record(connection, [human_labels.linked(stated, document, now=at)])


def shown(engine: Engine) -> DocumentView:
    """The document as the console lists it."""
    with engine.connect() as connection:
        (view,) = newest_documents(connection)
    return view


def people(engine: Engine) -> tuple[str, str] | None:
    """The sentiment that people give it, and who."""
    said = shown(engine).people
    return (said.sentiment.answer, said.sentiment.by) if said and said.sentiment else None


def test_a_correction_is_shown_everywhere_and_changes_no_count(engine: Engine) -> None:
    """Console, search, and the view for dashboards; the model's verdict, the minute counts and the audit stay."""
    with engine.connect() as connection:
        before = connection.execute(text("SELECT * FROM opinion_minute")).all()
    say(engine, "positive")
    say(engine, "technology", head="topic", by="wang")
    view = shown(engine)
    assert (view.shown_sentiment, view.shown_topic) == ("positive", "technology")
    assert (view.sentiment, view.topic_label) == ("negative", "finance")
    with engine.connect() as connection:
        (found,) = search(connection, Wanted())
        assert found.people == view.people
        columns = "people_sentiment, people_sentiment_by, people_topic, people_topic_by, sentiment, topic_label"
        in_bi = connection.execute(text(f"SELECT {columns} FROM bi.document")).one()  # noqa: S608
        assert tuple(in_bi) == ("positive", "li", "technology", "wang", "negative", "finance")
        assert connection.execute(text("SELECT * FROM opinion_minute")).all() == before
        plan = "\n".join(connection.scalars(text("EXPLAIN SELECT source, count(*) FROM bi.document GROUP BY 1")))
        assert "people_verdict" not in plan  # who does not ask for it does not pay for it
    with engine.connect() as connection:
        assert audit.audit(connection, "opinion.document.raw.v1", {0: 1}).is_clean


def test_people_settle_it_among_themselves(engine: Engine) -> None:
    """A second opinion makes a tie, which is no answer; a third one a majority; an adjudicator has the last word."""
    say(engine, "positive")
    say(engine, "neutral", by="wang", day=1)
    assert people(engine) is None
    say(engine, "neutral", by="mei", day=2)
    assert people(engine) == ("neutral", "mei, wang")
    say(engine, "negative", by="chen", day=3, is_adjudication=True)
    assert people(engine) == ("negative", "chen")


def test_an_answer_can_be_taken_back(engine: Engine) -> None:
    """Undo brings the answer before back, and then the model's verdict; the history keeps every row."""
    say(engine, "positive", intake="console")
    say(engine, "neutral", day=1, intake="console")
    for left in (("positive", "li"), None):
        with engine.begin() as connection:
            last = human_labels.newest_of(connection, "li", "console")
            assert human_labels.retract(connection, last, by="li", now=MAY, intake="console") == 1
            assert human_labels.retract(connection, last, by="li", now=MAY, intake="console") == 0
            people_verdicts.renew(connection, ["weibo:1"])
        assert people(engine) == left
    with engine.connect() as connection:
        assert list(human_labels.rows(connection)) == []
        assert human_labels.newest_of(connection, "li", "console") == []
        rows = connection.execute(text("SELECT answer, retracts IS NULL FROM bi.label ORDER BY id")).all()
    assert [tuple(one) for one in rows] == [
        ("positive", True),
        ("neutral", True),
        ("neutral", False),
        ("positive", False),
    ]


def test_a_revised_text_has_the_models_verdict_again(engine: Engine) -> None:
    """What people said of the old text is not said of the new one; the same text crawled again keeps it."""
    say(engine, "positive")
    again = {"source": "weibo", "title": "新闻", "crawled_at": START + timedelta(hours=1)}
    store_rows(engine, [row("weibo:1", 1, text="电池起火", likes=9, content_hash=b"1", **again)])
    assert people(engine) == ("positive", "li")
    again["crawled_at"] = START + timedelta(hours=2)
    store_rows(engine, [row("weibo:1", 2, text="并非起火", **again)])
    assert people(engine) is None
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT people_sentiment FROM bi.document")) is None
    say(engine, "neutral", day=1)
    assert people(engine) == ("neutral", "li")


def test_an_answer_about_an_older_text_is_not_shown(engine: Engine) -> None:
    """It is kept to learn from, but says nothing about what the document reads now."""
    say(engine, "positive", text="以前的文字")
    assert people(engine) is None


def test_erasing_a_document_erases_what_people_said(engine: Engine) -> None:
    """Nothing of it stays, neither answers nor what was taken back."""
    say(engine, "positive", intake="console")
    with engine.begin() as connection:
        last = human_labels.newest_of(connection, "li", "console")
        human_labels.retract(connection, last, by="li", now=MAY, intake="console")
    say(engine, "neutral", day=1)
    with engine.begin() as connection:
        erasure.erase(connection, ["weibo:1"])
    with engine.connect() as connection:
        for table in ("human_label", "people_verdict"):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608


def test_two_who_answer_at_once_are_both_counted(engine: Engine) -> None:
    """The second waits for the first, and what is shown comes of both."""
    say(engine, "negative", by="mei")
    with engine.begin() as connection:
        document = human_labels.documents_by_id(connection, ["weibo:1"])["weibo:1"]
        stated = Statement("sentiment", "positive", "weibo:1", None, "", "", "li", MAY)
        people_verdicts.record(connection, [human_labels.linked(stated, document, now=MAY)])
        other = threading.Thread(target=say, args=(engine, "positive"), kwargs={"by": "wang"})
        other.start()
        wait_for(lambda: waits_for_a_lock(engine), 10, "the second to wait")
    other.join(10)
    assert people(engine) == ("positive", "li, wang")


def test_the_topic_brings_corrections(engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str]) -> None:
    """A record with the new fields is stored with them and shown at once; more than a day of thinking is refused."""
    topic, dead_letters = new_topic("label"), new_topic("label.dlq")
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    common = b'{"head": "sentiment", "answer": "positive", "document_id": "weibo:1", "annotator": "li"'
    producer.send(topic, common + b', "guideline": "3", "seconds": 2.5, "is_adjudication": true}')
    producer.send(topic, common + b', "seconds": 90000}')
    producer.flush()
    producer.close()
    taken = take_labels(
        kafka_bootstrap, engine, topic=topic, dead_letter_topic=dead_letters, should_stop=lambda: False
    )
    assert (taken.stored, taken.dead_lettered) == (1, 1)
    assert people(engine) == ("positive", "li")
    with engine.connect() as connection:
        (stored,) = human_labels.rows(connection)
    assert (stored.guideline, stored.seconds, stored.is_adjudication, stored.intake) == ("3", 2.5, True, "topic")
