"""The page of documents, its facets, and the page of one document, over a real database."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import httpx
import pytest
from sqlalchemy import Engine

from core.clock import MovableClock
from core.taxonomy import Head
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.document_rows import ARTICLE, fill
from tests.support.records import START, row
from tests.support.rows import store_rows
from web.app import create_app
from web.explaining import ExplainerBusyError, ExplanationTooLongError, NoCheckpointError, Why, Word
from web.rendering import document_url

HTML = {"accept": "text/html"}
ZH = {"accept-language": "zh-CN"}


class Explainer:
    """Answers, or fails as it is told."""

    def __init__(self) -> None:
        self.error: type[Exception] | None = None
        self.asked = 0

    def __call__(self, version: str, text: str, head: Head) -> Why:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Why(head, "negative", 0.9, (Word(0, 2, 1.0),), "integrated", "other-model", (0.3, 0.1))


@pytest.fixture
def explainer() -> Explainer:
    return Explainer()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Posts, an article with comments and a revision, copies, an incident."""
    engine = connect(database_url)
    fill(engine, START)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine, explainer: Explainer) -> Iterator[httpx.Client]:
    """A browser's view."""
    app = create_app(engine, clock=MovableClock(START + timedelta(hours=3)), explain=explainer)
    with serving(app) as url, httpx.Client(base_url=url, headers=HTML, follow_redirects=True) as client:
        yield client


def documents_at(client: httpx.Client, link: str) -> int:
    """How many documents a link of the facets leads to."""
    path, _, query = link.partition("?")
    assert path == "/documents"
    found, before = 0, ""
    while True:
        page = client.get(f"/api/v1/documents?{query}{before}").json()
        found += len(page["documents"])
        if page["next"] is None:
            return found
        before = "&" + str(httpx.QueryParams({"before": page["next"]}))


def test_every_facet_counts_what_its_link_shows(client: httpx.Client) -> None:
    """From the minute counts and from the matches themselves: a number is the length of the list behind it."""
    for query in (
        "",
        "?kind=post&source=forum",
        "?sentiment=negative",
        "?q=奶茶",
        "?watchlist=奶茶&sentiment=negative",
    ):
        page = client.get(f"/facets{query}").text
        links = re.findall(r'<li><a href="([^"]*)"><bdi>[^<]*</bdi></a> <span class="number muted">(\d+)', page)
        assert len(links) > 4, query
        for link, number in links:
            assert documents_at(client, unescape(link)) == int(number), (query, link)
        bars = re.findall(r'<a href="([^"]*)" aria-label="from [^"]*: (\d+) documents"', page)
        assert bars, query
        total = documents_at(client, f"/documents{query or '?'}")
        assert sum(int(number) for _, number in bars) == total
        for link, number in (bars[0], bars[-1]):
            assert documents_at(client, unescape(link)) == int(number)
        assert f'<p role="status">{total} documents' in page
    facets = client.get("/api/v1/facets", params={"q": "奶茶", "topic": "nobody"}).json()
    assert facets == {
        "documents": 0,
        "is_complete": True,
        "choices": {},
        "step_seconds": 0,
        "bars": [],
    }


def test_more_matches_than_are_counted_are_said_to_be_more(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is not the whole is not shown as the whole."""
    monkeypatch.setattr("storage.facets.MOST_READ", 10)
    facets = client.get("/api/v1/facets", params={"q": "奶茶"}).json()
    assert (facets["documents"], facets["is_complete"]) == (10, False)
    assert sum(bar["documents"] for bar in facets["bars"]) == 10
    assert "At least 10 documents." in client.get("/facets?q=奶茶").text


def test_copies_are_one_entry_unless_all_are_asked_for(client: httpx.Client, engine: Engine) -> None:
    """A story that four carry is shown once with their number, on whichever page; no document is lost on the way."""
    page = client.get("/documents?kind=news").text
    assert page.count('<li class="document ') == 2
    assert "copies: 3" in page
    assert client.get("/documents?kind=news&copies=all").text.count('<li class="document ') == 5
    seen: list[str] = []
    address = "/documents?limit=3"
    while address:
        page = client.get(address).text
        seen += re.findall(r'<a href="/documents/([^"?#]+)">Details', page)
        following = re.search(r'<a rel="next" href="([^"]*)"', page)
        address = unescape(following[1]) if following else ""
    assert len(seen) == len(set(seen))
    assert len([one for one in seen if one.startswith("copy")]) >= 1
    assert len([one for one in seen if not one.startswith("copy")]) == 38


def test_a_query_that_is_not_understood_points_at_the_place(client: httpx.Client) -> None:
    """In the reader's language, with the query still in the box and the syntax open."""
    answer = client.get("/documents", params={"q": '奶茶 ") 差'}, headers=ZH)
    assert answer.status_code == 422
    assert "这个引号没有成对" in answer.text
    assert re.search(r"<span>奶茶 </span><mark>&#34;</mark><span>\) 差</span>", answer.text)
    assert 'value="奶茶 &#34;) 差"' in answer.text
    assert '<details class="syntax" open>' in answer.text
    assert client.get("/documents", params={"q": "没有这个词", "source": "forum"}).text.count("everywhere") == 1


def test_matches_are_marked_where_they_stand(client: httpx.Client, engine: Engine) -> None:
    """Late in a long text, too; further down than the list has it the page says so."""
    late = "长" * 1000 + "<b>目标</b>" + "文" * 1000
    rows = [row("late", 300, text=late), row("deep", 301, text="深" * 5000 + "目标")]
    store_rows(engine, rows)
    page = client.get("/documents?q=目标").text
    assert "…" + "长" * 57 + "&lt;b&gt;<mark>目标</mark>&lt;/b&gt;" in page
    assert "further down" in page
    assert "深<mark>目标</mark>" in client.get("/documents/deep?q=目标").text


def test_one_document_has_all_that_is_known_of_it(client: httpx.Client, engine: Engine) -> None:
    """Verdict, revision, comments, mentions, incident on its page; the same in JSON, by an id with slashes."""
    page = client.get(document_url(ARTICLE)).text
    for said in (
        "停业整顿<del>三</del><ins>五</ins>天后",
        "likes 0 → 12",
        "7 comments:",
        "u_4f2a9c",
        "//@网友: 别去了",
        "Reclassification 1",
        "/incidents/1",
        'href="https://example.org/1"',
        '<mark title="奶茶">奶茶</mark>',
    ):
        assert said in page, said
    file = client.get(f"/api/v1{document_url(ARTICLE)}").json()
    assert file["document"]["id"] == ARTICLE
    assert file["document"]["version"]["revision"] == 1
    assert [one["text"][:6] for one in file["earlier"]] == ["停业整顿三天"]
    assert file["comments"] == {"total": 7, "negative": 6, "neutral": 0, "positive": 1}
    assert [(one["watchlist"], one["sentiment"]) for one in file["mentions"]] == [("奶茶", "positive")]
    assert [one["incident_id"] for one in file["evidence"]] == [1]
    comment = client.get("/api/v1/documents/c3").json()
    assert comment["article"]["id"] == ARTICLE
    copied = client.get("/api/v1/documents/copy:2").json()["copies"]
    assert [one["id"] for one in copied["carriers"]] == [f"copy:{n}" for n in range(4)]
    assert [one["is_voice"] for one in copied["carriers"]] == [True, False, False, False]
    assert copied["group"]["first_id"] == "copy:0"
    for path in ("/documents/nobody", "/api/v1/documents/nobody", "/documents/nobody/why"):
        assert client.get(path).status_code == 404
    store_rows(engine, [row("x/why", 400, text="an id may end so"), row("orphan", 401, parent_id="gone", text="?")])
    assert "an id may end so" in client.get("/documents/x/why").text
    assert "not stored" in client.get("/documents/orphan").text
    assert file["shadows"] == []


def test_a_correction_leads_back_to_its_document(client: httpx.Client) -> None:
    """Say who, answer, and see the answer with its author; a text that changed meanwhile is not answered."""
    url = document_url(ARTICLE)
    assert "Say who you are" in client.get(url).text
    client.post("/label/name", data={"name": "李 敏", "document": ARTICLE, "back": url})
    page = client.get(url).text
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert form["back"] == url
    answered = client.post("/label", data={**form, "sentiment": "neutral"})
    assert answered.url.raw_path.decode() == url
    assert "李 敏" in answered.text
    assert 'tag neutral">neutral' in answered.text
    [said] = client.get(f"/api/v1{url}").json()["answers"]
    assert (said["answer"], said["annotator"], said["is_current"]) == ("neutral", "李 敏", True)
    stale = client.post("/label", data={**form, "text_key": "old", "sentiment": "positive"})
    assert stale.url.path == "/label"


def test_why_says_what_it_knows_and_what_it_does_not(client: httpx.Client, explainer: Explainer) -> None:
    """Asked once and remembered; another model than the judge is named; too busy is 503 with Retry-After."""
    url = f"{document_url(ARTICLE)}/why"
    page = client.get(url).text
    assert '<mark class="for-3">' in page
    assert "this is how other-model sees the text" in page
    assert client.get(f"/api/v1{url}").json()["fall"] == [0.3, 0.1]
    assert explainer.asked == 1
    for error, page_status, status, said in (
        (ExplainerBusyError, 503, 503, "Other verdicts are being explained"),
        (ExplanationTooLongError, 200, 503, "took too long"),
        (NoCheckpointError, 200, 404, "on this machine"),
    ):
        explainer.error = error
        shown = client.get(f"{url}?head=topic")
        assert (shown.status_code, said in shown.text, "opinion explain" in shown.text) == (page_status, True, True)
        answer = client.get(f"/api/v1{url}?head=topic")
        assert answer.status_code == status
        assert said in answer.json()["error"]["message"]
        assert bool(answer.headers.get("retry-after")) is (status == 503)
