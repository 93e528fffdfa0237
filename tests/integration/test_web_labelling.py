"""The labelling page by its forms: what it shows, stores and refuses, without a browser."""

import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from core.clock import MovableClock
from core.texts import text_hash
from core.watchlists import Watchlist
from storage import gold_set, human_labels, watchlists
from storage.engine import connect
from storage.human_labels import LabelRow
from tests.support.consoles import serving
from tests.support.records import START, row, says
from tests.support.rows import store_rows
from web.app import create_app

EN = {"accept": "text/html", "accept-language": "en"}
HOSTILE = "<script>window.hacked=1</script>苹果\"' onload=x {{7*7}} \u202egnp"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A comment on a news item; both mention a watchlist, the comment says hostile things about it."""
    engine = connect(database_url)
    with engine.begin() as connection:
        watchlists.put(connection, [Watchlist('苹"果<b>', any=("苹果",))], by="li")
    common: dict[str, Any] = {"lang": "zh", "mentions": [says('苹"果<b>')]}
    store_rows(
        engine,
        [
            row("sina:1", kind="news", title="苹果发布手机", text="正文说续航。", source="sina", **common),
            row(
                "weibo:1\">'/?&#",
                1,
                kind="comment",
                text=HOSTILE,
                parent_id="sina:1",
                published_at=START + timedelta(minutes=1),
                **common,
            ),
        ],
    )
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START + timedelta(hours=1))


@pytest.fixture
def client(engine: Engine, clock: MovableClock) -> Iterator[httpx.Client]:
    """A browser in which Li answers; it follows where it is led."""
    app = create_app(engine, clock=clock, guideline="7")
    with serving(app) as url, httpx.Client(base_url=url, headers=EN, follow_redirects=True) as client:
        assert client.post("/label/name", data={"name": " 李 雷 "}).status_code == 200
        yield client


def fields(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the form that answers."""
    form = re.search(r'<form id="answer".*?</form>', page.text, re.DOTALL)
    assert form, page.text
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0])
    return {name: html.unescape(value) for name, value in found}


def stored(engine: Engine) -> list[LabelRow]:
    with engine.connect() as connection:
        return list(human_labels.rows(connection))


def test_who_answers_is_asked_first(engine: Engine) -> None:
    """Without a name there is neither a document nor a way to answer; a name is a line of at most 100 characters."""
    app = create_app(engine, clock=MovableClock(START))
    with serving(app) as url, httpx.Client(base_url=url, headers=EN) as client:
        page = client.get("/label?document=sina:1").text
        assert 'name="name"' in page
        assert 'value="sina:1"' in page
        assert "续航" not in page
        assert client.post("/label", data={"document": "sina:1", "topic": "sports"}).status_code == 422
        for bad in ("", "  ", "a\nb", "x" * 101, "\u0085"):
            assert client.post("/label/name", data={"name": bad}).status_code == 422
    assert stored(engine) == []


def test_the_page_shows_text_context_and_words(client: httpx.Client) -> None:
    """The newest document, what it answers to, marked words; nothing of it is markup; the verdict is folded away."""
    page = client.get("/label").text
    assert "<script>window" not in page
    assert "&lt;script&gt;" in page
    assert '<mark title="苹&#34;果&lt;b&gt;">苹果</mark>' in page
    assert "苹果发布手机" in page
    assert "正文说续航。" in page
    assert "49" not in re.sub(r"#34|#39", "", page.split("label-text")[1].split("</article>")[0])
    assert '<details class="verdict">' in page
    assert "guideline 7" in page
    assert "李 雷" in page


def test_an_answer_is_stored_with_its_circumstances(client: httpx.Client, engine: Engine) -> None:
    """Both heads, who, when, how long, by which guideline; it is shown at once, and the next document comes."""
    page = client.get("/label")
    after = client.post(
        "/label", data={**fields(page), "topic": "technology", "sentiment": "neutral", "seconds": "4.5"}
    )
    assert "Saved." in after.text
    assert fields(after)["document"] == "sina:1"
    rows = stored(engine)
    assert [(one.head, one.answer) for one in rows] == [("topic", "technology"), ("sentiment", "neutral")]
    assert {(one.document_id, one.annotator, one.guideline, one.seconds, one.intake) for one in rows} == {
        ("weibo:1\">'/?&#", "李 雷", "7", 4.5, "console")
    }
    assert "<b>1</b> today" in after.text
    (first, _) = client.get("/api/v1/documents").json()["documents"]
    assert first["sentiment"] == "negative"
    assert first["people"]["sentiment"]["answer"] == "neutral"
    assert first["people"]["topic"]["by"] == "李 雷"
    listed = client.get("/documents").text
    assert "corrected by 李 雷" in listed
    assert "the model said negative" in listed


def test_sent_twice_it_has_no_second_effect(client: httpx.Client, engine: Engine) -> None:
    """A double click, or the back button and Enter."""
    form = {**fields(client.get("/label")), "topic": "technology"}
    client.post("/label", data=form)
    assert "had been saved before" in client.post("/label", data=form).text
    assert len(stored(engine)) == 1


def test_undo_goes_back_step_by_step(client: httpx.Client, engine: Engine, clock: MovableClock) -> None:
    """Each undo takes one document's answers back and shows it again; with none left the page says so."""
    for topic in ("technology", "sports"):
        client.post("/label", data={**fields(client.get("/label")), "topic": topic})
        clock.advance(timedelta(seconds=5))
    empty = client.get("/label").text
    assert "Nothing to label" in empty
    assert fields(client.post("/label/undo", data={"before": ""}))["document"] == "sina:1"
    again = client.post("/label/undo", data={"before": ""})
    assert fields(again)["document"] == "weibo:1\">'/?&#"
    assert "<b>0</b> today" in again.text
    assert stored(engine) == []
    assert "no answer to take back" in client.post("/label/undo", data={"before": ""}).text
    client.post("/label", data={**fields(again), "topic": "game"})
    assert [one.answer for one in stored(engine)] == ["game"]


def test_skipped_documents_do_not_come_back(client: httpx.Client, engine: Engine) -> None:
    """Skip leads on to older documents, also after an answer in between."""
    page = client.get("/label")
    after = client.post("/label/skip", data={"document": fields(page)["document"]})
    assert fields(after)["document"] == "sina:1"
    done = client.post("/label", data={**fields(after), "topic": "technology"})
    assert "Nothing to label" in done.text
    assert [one.document_id for one in stored(engine)] == ["sina:1"]


def test_a_text_that_has_changed_is_shown_again(client: httpx.Client, engine: Engine) -> None:
    """Nobody answers about words that they have not read."""
    form = {**fields(client.get("/label?document=sina:1")), "topic": "technology"}
    store_rows(engine, [row("sina:1", 9, kind="news", title="苹果发布手机", text="更正：没有续航。", source="sina")])
    changed = client.post("/label", data=form)
    assert "judge what it says now" in changed.text
    assert "更正" in changed.text
    assert stored(engine) == []
    client.post("/label", data={**fields(changed), "topic": "technology"})
    assert stored(engine)[0].text == "苹果发布手机\n更正：没有续航。"


def test_what_cannot_be_stored_is_refused(client: httpx.Client, engine: Engine) -> None:
    """Unknown classes and documents, and nothing at all."""
    for changes, status, words in (
        ({"topic": "weather"}, 422, "not one of its classes"),
        ({"sentiment": "<b>"}, 422, "not one of its classes"),
        ({}, 200, "Nothing is chosen yet."),
        ({"document": "gone:1", "topic": "sports"}, 200, "no longer stored"),
        ({"document": "a\x00b", "topic": "sports"}, 422, "NUL"),
    ):
        answer = client.post("/label", data={**fields(client.get("/label")), **changes})
        assert answer.status_code == status
        assert words in html.unescape(answer.text)
    assert stored(engine) == []


def test_an_impossible_time_is_unknown(client: httpx.Client, engine: Engine) -> None:
    """It spoils no answer."""
    for seconds in ("", "nan", "inf", "-1", "1e9", "x"):
        form = fields(client.get("/label?document=sina:1"))
        client.post("/label", data={**form, "topic": "technology", "seconds": seconds})
    assert [one.seconds for one in stored(engine)] == [None] * 6


def test_other_sites_cannot_answer(client: httpx.Client, engine: Engine) -> None:
    """The same-origin rule holds for these forms, and so do the limits of a form."""
    form = {**fields(client.get("/label")), "topic": "technology"}
    for path in ("/label", "/label/skip", "/label/undo", "/label/name"):
        refused = client.post(path, data=form, headers={"sec-fetch-site": "cross-site"})
        assert refused.status_code == 403
    assert client.post("/label", content=json.dumps(form), headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/label", data={"x": "y" * 70_000}).status_code == 413
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/label", content=b"topic=%ff", headers=headers).status_code == 422
    assert client.post("/label", content=b"&".join([b"a=b"] * 100), headers=headers).status_code == 422
    assert stored(engine) == []


def test_corrections_lead_back_to_the_list(client: httpx.Client) -> None:
    """From the documents page to one document and back to the same page; never to another site."""
    listed = client.get("/documents?sentiment=negative&range=all").text
    link = html.unescape(re.findall(r'href="(/label\?document=sina[^"]*)"', listed)[0])
    form = {**fields(client.get(link)), "sentiment": "positive"}
    assert client.post("/label", data=form).url.path == "/documents"
    for bad in ("//evil.example", "https://evil.example", "/documents.evil", "/documents\r\nx: y", "/label"):
        page = client.get("/label", params={"document": "sina:1", "back": bad})
        assert "back" not in fields(page)
        answer = client.post("/label", data={**fields(page), "topic": "game", "back": bad}, follow_redirects=False)
        assert answer.headers["location"].startswith("/label?")


def test_the_queue_goes_first(client: httpx.Client, engine: Engine) -> None:
    """What it proposes is shown with the reason, and it hears of answers, skips and undos; a document that is gone is
    passed over. An answer to a random one puts its text into the gold set."""
    with engine.begin() as connection:
        for place, document in enumerate(("gone:1", "sina:1")):
            queued = {"document": document, "at": START, "place": place}
            connection.execute(
                text(
                    "INSERT INTO label_queue (document_id, published_at, reason, score, place, detail, "
                    "model_version) VALUES (:document, :at, 'random', 0, :place, '{}', 'm')"
                ),
                queued,
            )

    def heard() -> tuple[list[str], list[str], bool]:
        query = text("SELECT skipped_by, answered_by, done_at IS NOT NULL FROM label_queue")
        with engine.connect() as connection:
            [row] = connection.execute(query)
        return tuple(row)

    page = client.get("/label")
    assert fields(page)["document"] == "sina:1"
    assert "random sample" in page.text
    client.post("/label/skip", data={"document": "sina:1"})
    assert heard() == (["李 雷"], [], False)
    client.post("/label", data={**fields(page), "topic": "technology"})
    assert heard() == (["李 雷"], ["李 雷"], True)
    with engine.connect() as connection:
        gold = gold_set.hashes(connection)
        read = human_labels.documents_by_id(connection, ["sina:1"])["sina:1"].text
    assert gold == {text_hash(read)}
    client.post("/label/undo", data={"before": ""})
    assert heard()[1:] == ([], False)


def test_two_annotators_answer_the_same_document(client: httpx.Client, engine: Engine) -> None:
    """Who has not answered gets it, whoever else has; a tie is shown as the model's verdict."""
    client.post("/label", data={**fields(client.get("/label")), "sentiment": "positive"})
    client.post("/label/name", data={"name": "韩梅梅"})
    page = client.get("/label")
    assert fields(page)["document"] == "weibo:1\">'/?&#"
    client.post("/label", data={**fields(page), "sentiment": "neutral"})
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(people_sentiment) FROM bi.document")) == 0
    assert {one.annotator for one in stored(engine)} == {"李 雷", "韩梅梅"}


def test_somebody_settles_it_in_the_console(client: httpx.Client, engine: Engine) -> None:
    """Asked for one document, a person may have the last word over the answers of others."""
    for name, answer in (("韩梅梅", "positive"), ("林涛", "positive")):
        client.post("/label/name", data={"name": name})
        client.post("/label", data={**fields(client.get("/label?document=sina:1")), "sentiment": answer})
    page = client.get("/label?document=sina:1")
    assert 'name="is_adjudication"' in page.text
    assert 'name="is_adjudication"' not in client.get("/label").text
    client.post("/label", data={**fields(page), "sentiment": "neutral", "is_adjudication": "1"})
    with engine.connect() as connection:
        query = text("SELECT people_sentiment, people_sentiment_by FROM bi.document WHERE id = 'sina:1'")
        assert tuple(connection.execute(query).one()) == ("neutral", "林涛")
