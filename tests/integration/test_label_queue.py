"""The queue of documents to label: who gets what, for how long, in which order, and what leaves it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from storage import human_labels, label_queue, label_queue_filling, opt_outs
from storage.engine import connect
from storage.erasure import erase
from storage.human_labels import NewLabel
from storage.label_queue import LEASE, Reason
from storage.label_queue_filling import NewEntry
from tests.support.records import START, row
from tests.support.rows import add_incident, store_rows

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVEN: dict[Reason, float] = {"uncertain": 0.5, "random": 0.5}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def entry(key: str, **changes: Any) -> NewEntry:
    fields: dict[str, Any] = {"reason": "uncertain", "score": 0.5, "detail": {}, "model_version": "m1"}
    return NewEntry(document_id=key, published_at=START, **(fields | changes))


def queue(engine: Engine, entries: Sequence[NewEntry], shares: dict[Reason, float] | None = None) -> None:
    """The documents, stored and queued."""
    store_rows(engine, [row(one.document_id, nth, author=f"of {one.document_id}") for nth, one in enumerate(entries)])
    with engine.begin() as connection:
        label_queue_filling.add(connection, entries, shares or EVEN)


def taken(engine: Engine, annotator: str, now: datetime = NOW, skip: Sequence[str] = ()) -> str | None:
    with engine.begin() as connection:
        found = label_queue.next_for(connection, annotator, now, skip=skip)
    return found.document_id if found else None


def complete(engine: Engine, key: str, annotator: str, now: datetime = NOW) -> Reason | None:
    with engine.begin() as connection:
        return label_queue.complete(connection, key, annotator, now)


def test_each_document_is_in_one_persons_hands(engine: Engine) -> None:
    """Two people get two documents, each the same again on asking again, and a third gets none."""
    queue(engine, [entry("a"), entry("b")])
    assert [taken(engine, who) for who in ("li", "wang", "li", "wang", "zhou")] == ["a", "b", "a", "b", None]


def test_what_is_handed_out_says_what_and_why(engine: Engine) -> None:
    """The document's text, and the reason with what it is based on."""
    queue(engine, [entry("a", reason="random", detail={"topic": "sports"})])
    with engine.begin() as connection:
        found = label_queue.next_for(connection, "li", NOW)
    assert found is not None
    assert (found.text, found.lang, found.source) == ("x", "en", "forum")
    assert (found.reason, found.detail, found.taken_until) == ("random", {"topic": "sports"}, NOW + LEASE)


def test_who_asks_while_another_takes_does_not_wait(engine: Engine) -> None:
    """Somebody whose transaction is still open holds up nobody, and both get different documents."""
    queue(engine, [entry("a"), entry("b")])
    found: list[str | None] = []
    with engine.begin() as connection:
        first = label_queue.next_for(connection, "li", NOW)
        other = Thread(target=lambda: found.append(taken(engine, "wang")))
        other.start()
        other.join(timeout=10)
        assert not other.is_alive()
    assert first is not None
    assert (first.document_id, found) == ("a", ["b"])


def test_a_lease_runs_out(engine: Engine) -> None:
    """What nobody answered in time is handed to another; the first one's late answer counts all the same."""
    queue(engine, [entry("a", wanted=2)])
    assert taken(engine, "li") == "a"
    assert taken(engine, "wang", NOW + LEASE - timedelta(seconds=1)) is None
    assert taken(engine, "wang", NOW + LEASE) == "a"
    assert complete(engine, "a", "li") == "uncertain"
    assert taken(engine, "zhou", NOW + LEASE) is None  # still in wang's hands
    complete(engine, "a", "wang")
    with engine.connect() as connection:
        assert label_queue.progress(connection, NOW).done == 1


def test_a_double_labelled_document_goes_to_two_people(engine: Engine) -> None:
    """Not to the same person twice, and to nobody after the second answer."""
    queue(engine, [entry("a", wanted=2)])
    assert taken(engine, "li") == "a"
    complete(engine, "a", "li")
    complete(engine, "a", "li")  # a repeated click
    assert taken(engine, "li") is None
    assert taken(engine, "wang") == "a"
    complete(engine, "a", "wang")
    assert taken(engine, "zhou") is None


def test_a_skip_goes_to_others_and_in_the_end_away(engine: Engine) -> None:
    """Who skipped a document does not see it again; after two skips nobody does."""
    queue(engine, [entry("a")])
    for who in ("li", "wang"):
        assert taken(engine, who) == "a"
        with engine.begin() as connection:
            label_queue.skip(connection, "a", who, NOW)
        assert taken(engine, who) is None
    assert taken(engine, "zhou") is None
    with engine.connect() as connection:
        assert label_queue.progress(connection, NOW).skipped == 1


def test_an_answer_can_be_taken_back(engine: Engine) -> None:
    """Undo puts the document back into the same hands."""
    queue(engine, [entry("a"), entry("b")])
    assert taken(engine, "li") == "a"
    complete(engine, "a", "li")
    assert taken(engine, "li") == "b"
    with engine.begin() as connection:
        label_queue.reopen(connection, "a", "li", NOW)
    assert taken(engine, "li", skip=["b"]) == "a"
    assert complete(engine, "a", "li") == "uncertain"


def test_a_document_outside_the_queue_can_be_answered(engine: Engine) -> None:
    """An answer to any document is no error; there is just no reason to tell."""
    assert complete(engine, "never queued", "li") is None


def test_reasons_come_by_turns(engine: Engine) -> None:
    """Any stretch of the queue holds the shares, also after it was topped up."""
    shares: dict[Reason, float] = {"uncertain": 0.75, "random": 0.25}
    queue(
        engine,
        [*(entry(f"u{nth}") for nth in range(9)), *(entry(f"r{nth}", reason="random") for nth in range(3))],
        shares,
    )
    order = []
    for _ in range(8):
        key = taken(engine, "li")
        assert key is not None
        complete(engine, key, "li")
        order.append(key)
    assert sum(key.startswith("r") for key in order) == 2
    assert [key for key in order if key.startswith("u")] == [f"u{nth}" for nth in range(6)]
    store_rows(engine, [row("r9", 99)])
    with engine.begin() as connection:
        label_queue_filling.add(connection, [entry("r9", reason="random")], shares)
        rest = [one.document_id for one in label_queue_filling.listed(connection, 10)]
    assert rest == ["u6", "u7", "r2", "u8", "r9"]


def test_chance_takes_over_what_waits_for_another_reason(engine: Engine) -> None:
    """Else the random share would miss what the model is unsure of; what was answered stays as it is."""
    queue(engine, [entry("a"), entry("b")])
    assert taken(engine, "li") == "a"
    complete(engine, "a", "li")
    with engine.begin() as connection:
        label_queue_filling.add(connection, [entry("a", reason="random"), entry("b", reason="random")], EVEN)
        reasons = {one.document_id: one.reason for one in connection.execute(text("SELECT * FROM label_queue"))}
    assert reasons == {"a": "uncertain", "b": "random"}


def test_what_is_erased_is_asked_about_no_more(engine: Engine) -> None:
    """Erasing a document takes it out of the queue, with all who have it in hand."""
    queue(engine, [entry("a")])
    assert taken(engine, "li") == "a"
    with engine.begin() as connection:
        erase(connection, ["a"])
        assert connection.scalar(select(label_queue.label_queue.c.document_id)) is None


def test_who_opted_out_is_not_shown(engine: Engine) -> None:
    """An author on the opt-out list whose old documents still stand is passed over at the hand-out."""
    queue(engine, [entry("a"), entry("b")])
    with engine.begin() as connection:
        opt_outs.add(connection, "author", ["of a"], "")
    assert taken(engine, "li") == "b"


def test_stale_documents_leave(engine: Engine) -> None:
    """Old, gone, labelled elsewhere, uncertain to another model, of an incident that is over; not what is in hand."""
    with engine.begin() as connection:
        firing = add_incident(connection)
        over = add_incident(connection, fingerprint="over", status="resolved")
    entries = [
        entry("held", model_version="m0"),
        entry("other model", model_version="m0"),
        entry("chance", model_version="m0", reason="random"),
        entry("labelled"),
        entry("fires", reason="alert", detail={"incident": firing}),
        entry("over", reason="alert", detail={"incident": over}),
        entry("fresh"),
    ]
    queue(engine, entries, {"uncertain": 0.4, "random": 0.3, "alert": 0.3})
    with engine.begin() as connection:
        connection.execute(text("UPDATE label_queue SET queued_at = :now"), {"now": NOW})
        label_queue_filling.add(connection, [entry("never stored")], EVEN)
        label = NewLabel(b"k", "labelled", "x", "en", "forum", "sentiment", "negative", "li", NOW)
        human_labels.add(connection, [label])
    assert taken(engine, "li") == "held"
    with engine.begin() as connection:
        dropped = label_queue_filling.drop_stale(connection, before=NOW - HOUR, now=NOW, judge="m1")
        left = {one.document_id for one in label_queue_filling.listed(connection, 10)}
    assert dropped == {"other model": 1, "labelled": 1, "incident over": 1, "gone": 1}
    assert left == {"held", "chance", "fires", "fresh"}
    with engine.begin() as connection:
        dropped = label_queue_filling.drop_stale(connection, before=NOW + HOUR, now=NOW, judge="m1")
    assert dropped == {"old": 3}


def test_one_of_two_answers_is_enough_in_the_end(engine: Engine) -> None:
    """A document whose second person never comes does not wait for ever."""
    queue(engine, [entry("a", wanted=2)])
    assert taken(engine, "li") == "a"
    complete(engine, "a", "li")
    later = datetime.now(UTC) + HOUR
    with engine.begin() as connection:
        label_queue_filling.drop_stale(connection, before=later, now=later, judge="m1")
        progress = label_queue.progress(connection, later)
    assert (progress.partly, progress.done) == (0, 1)


def test_only_one_fills(engine: Engine) -> None:
    """Of two fills at once one does nothing."""
    with label_queue_filling.only_fill(engine) as first, label_queue_filling.only_fill(engine) as second:
        assert (first, second) == (True, False)
    with label_queue_filling.only_fill(engine) as again:
        assert again
