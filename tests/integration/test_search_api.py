"""Search and comments through the console's JSON, with what hostile callers send."""

import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine, text

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import START, row
from tests.support.rows import store_rows
from web.app import create_app


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    """A script's view of a console on that database."""
    clock = MovableClock(START + timedelta(hours=10))
    with serving(create_app(engine, clock=clock)) as url, httpx.Client(base_url=url) as client:
        yield client


def fill(engine: Engine) -> None:
    """An article, its comments and other documents."""
    rows = [row(f"d{n}", n, text=f"奶茶 tea {n}", published_at=START + n * timedelta(minutes=1)) for n in range(30)]
    rows.append(row("https://example.org/a b/1", 50, kind="news", title="新店", text="奶茶店开业"))
    rows += [
        row(f"c{n}", 100 + n, text=f"好 {n}", kind="comment", parent_id="https://example.org/a b/1") for n in range(7)
    ]
    store_rows(engine, rows)


def test_documents_are_found_page_by_page(client: httpx.Client, engine: Engine) -> None:
    """`next` leads through all hits, newest first, with other filters in force."""
    fill(engine)
    ids: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = client.get("/api/v1/documents", params={"q": "奶茶 -店", "limit": 8, **before}).json()
        ids += [one["id"] for one in page["documents"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert ids == [f"d{n}" for n in range(29, -1, -1)]
    assert client.get("/api/v1/documents", params={"q": "奶茶", "source": "nobody"}).json()["documents"] == []
    assert client.get("/api/v1/documents", params={"watchlist": "Acme"}).json()["documents"] == []


def test_comments_are_read_in_pages_also_without_their_article(client: httpx.Client, engine: Engine) -> None:
    """Ids may hold slashes and spaces; an unknown id is 404, one without comments an empty list."""
    fill(engine)
    store_rows(engine, [row("early", 500, kind="comment", parent_id="not:yet", text="先到")])
    path = f"/api/v1/documents/{quote('https://example.org/a b/1', safe='')}/comments"
    first = client.get(path, params={"limit": 4}).json()
    second = client.get(path, params={"limit": 4, "before": first["next"]}).json()
    assert [one["id"] for one in first["documents"] + second["documents"]] == [f"c{n}" for n in range(6, -1, -1)]
    assert second["next"] is None
    assert [one["id"] for one in client.get("/api/v1/documents/not:yet/comments").json()["documents"]] == ["early"]
    assert client.get("/api/v1/documents/d1/comments").json() == {"documents": [], "next": None}
    assert client.get("/api/v1/documents/nobody/comments").status_code == 404


HOSTILE = [
    "x" * 10_000,
    "的 " * 400,
    '"' * 500,
    "(" * 500,
    "NOT " * 240 + "a",
    "-" * 900,
    "AND OR NOT",
    "*",
    "a* OR b* OR c* OR d* OR e* OR f*",
    "a\x00b",
    "'; DROP TABLE document; --",
    "' OR 1=1 --",
    "\\' | '-':* & !'x",
    "%%%(foo)s :term0 {0}",
    "\ud7ff\uffff\U0010ffff",
    "/(a+)+$/",
    ".* [^a] {1,99999}",
    "\u202e\u0301\u0301",
    "ﷺ" * 900,
]


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_queries_are_answered_or_refused_soon(client: httpx.Client, engine: Engine, query: str) -> None:
    """No query ends in a server error, a changed table or a long wait."""
    fill(engine)
    started = time.monotonic()
    answers = [
        client.get("/api/v1/documents", params={"q": query}),
        client.get("/documents", params={"q": query}, headers={"accept": "text/html"}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 422), answer.text
    if answers[0].status_code == 422:
        assert answers[0].json()["error"]["message"]
    assert time.monotonic() - started < 5
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM document")) == 38


@pytest.mark.parametrize(
    "cursor", ["x", ",", "2024-05-01,a", "0001-01-01T00:00+14:00,a", "9999-12-31T23:59:59.999999Z,a"]
)
def test_any_cursor_is_answered(client: httpx.Client, engine: Engine, cursor: str) -> None:
    """A cursor that somebody made up is refused, or is a place in the list."""
    fill(engine)
    for path in ("/api/v1/documents?q=tea", "/api/v1/documents?range=all", "/api/v1/documents/d1/comments?limit=2"):
        assert client.get(f"{path}&before={quote(cursor)}").status_code in (200, 422)


def test_the_page_has_a_search_box(client: httpx.Client, engine: Engine) -> None:
    """What was looked for stays in the box, harmless."""
    fill(engine)
    page = client.get("/documents", params={"q": '奶茶 NOT "<b>"'}, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "奶茶 NOT &#34;&lt;b&gt;&#34;" in page.text
    assert "<mark>奶茶</mark>店开业" in page.text
