"""The console's pages and its JSON over a real database."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, text

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import START, row
from tests.support.rows import EVIDENCE, add_incident, store_rows
from web.app import create_app

PAGES = ["/", "/?range=all&by=source", "/documents", "/documents?sentiment=negative&range=1h", "/incidents"]
API = ["/api/v1/overview", "/api/v1/series?by=language", "/api/v1/incidents", "/api/v1/documents"]
HTML = {"accept": "text/html"}
AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    """A browser's view of a console on that database, shortly after `START`."""
    clock = MovableClock(START + timedelta(minutes=10))
    with serving(create_app(engine, clock=clock)) as url, httpx.Client(base_url=url, headers=HTML) as client:
        yield client


def fill(engine: Engine) -> int:
    """Documents over nine minutes, and one incident."""
    rows = [
        row(f"d{nth}", nth, text=f"text {nth}", published_at=START + timedelta(seconds=10 * nth)) for nth in range(54)
    ]
    store_rows(engine, rows)
    with engine.begin() as connection:
        return add_incident(connection, ends_at=START + timedelta(minutes=8), status="resolved")


@pytest.mark.parametrize("path", PAGES + API)
def test_every_page_answers_empty_and_full(client: httpx.Client, engine: Engine, path: str) -> None:
    """Before the first document and after it, in both languages."""
    for language in ("zh", "en"):
        assert client.get(path, headers={"accept-language": language}).status_code == 200
    fill(engine)
    for language in ("zh", "en"):
        assert client.get(path, headers={"accept-language": language}).status_code == 200


def test_an_empty_console_says_what_to_do(client: httpx.Client) -> None:
    """The first page names the next command."""
    page = client.get("/", headers={"accept-language": "zh-CN"}).text
    assert "还没有文档" in page
    assert "opinion demo" in page


def test_the_overview_counts_what_was_stored(client: httpx.Client, engine: Engine) -> None:
    """The JSON twin carries the page's figures."""
    fill(engine)
    body = client.get("/api/v1/overview?range=1h").json()
    assert body["counts"] == {"total": 54, "negative": 54, "neutral": 0, "positive": 0}
    assert body["fates"]["stored"] == 54
    assert body["window"]["is_historic"] is False
    assert body["groups"][0]["key"] == "finance"


def test_the_series_is_aligned_with_its_buckets(client: httpx.Client, engine: Engine) -> None:
    """Every line has one value per bucket, and they add up."""
    fill(engine)
    body = client.get("/api/v1/series?range=1h").json()
    assert len(body["starts"]) == len(body["everything"]["total"]) == len(body["groups"][0]["total"])
    assert sum(body["everything"]["total"]) == 54
    assert body["incidents"][0]["status"] == "resolved"


def test_document_pages_follow_each_other(client: httpx.Client, engine: Engine) -> None:
    """`next` leads to the rest, and the last page has none."""
    fill(engine)
    first = client.get("/api/v1/documents").json()
    second = client.get("/api/v1/documents", params={"before": first["next"]}).json()
    ids = [one["id"] for one in first["documents"] + second["documents"]]
    assert ids == [f"d{nth}" for nth in reversed(range(54))]
    assert second["next"] is None


@pytest.mark.parametrize(("language", "mark"), [("en", ">unsure<"), ("zh", ">不确定<")])
def test_documents_that_the_model_was_unsure_of_are_marked(
    client: httpx.Client, engine: Engine, language: str, mark: str
) -> None:
    """Each head has a mark of its own; rows from before there was one (null) have none."""
    store_rows(
        engine,
        [
            row("both", 0, topic_uncertain=True, sentiment_uncertain=True),
            row("sentiment", 1, sentiment_uncertain=True),
            row("neither", 2),
            row("nobody asked", 3, topic_uncertain=None, sentiment_uncertain=None),
        ],
    )
    page = client.get("/documents", headers={"accept-language": language}).text
    assert page.count(mark) == 3


def test_an_incident_shows_its_evidence_and_is_taken_on_once(client: httpx.Client, engine: Engine) -> None:
    """What, against which expectation, on what grounds; the button leaves a name, and again changes nothing."""
    made = fill(engine)
    page = client.get(f"/incidents/{made}", headers={"accept-language": "zh"}).text
    assert "话题 财经：负面 42 条" in page
    assert "61.0 %" in page
    for _ in range(2):
        answer = client.post(f"/incidents/{made}/acknowledge", headers={"sec-fetch-site": "same-origin"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{made}")
    file = client.get(f"/api/v1/incidents/{made}").json()
    assert file["incident"]["acknowledged_by"] == "console"
    assert [event["transition"] for event in file["events"]] == ["opened", "acknowledged"]


@pytest.mark.parametrize(("language", "said"), [("zh", "另有 49 篇转载"), ("en", "copies elsewhere: 49")])
def test_an_example_says_how_many_others_carry_it(
    client: httpx.Client, engine: Engine, language: str, said: str
) -> None:
    """One story that fifty outlets carry; one that nobody else does says nothing."""
    [document] = EVIDENCE["documents"]
    documents = [{**document, "carriers": carriers} for carriers in (50, 1)]
    with engine.begin() as connection:
        made = add_incident(connection, evidence={**EVIDENCE, "documents": documents})
    page = client.get(f"/incidents/{made}", headers={"accept-language": language}).text
    assert page.count(said) == page.count(said.split("49")[0]) == 1


def test_another_site_cannot_change_anything(client: httpx.Client, engine: Engine) -> None:
    """A form on a foreign page is refused before it reaches a route."""
    made = fill(engine)
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = client.post(f"/incidents/{made}/acknowledge", headers=headers)
        assert answer.status_code == 403
    assert client.get(f"/api/v1/incidents/{made}").json()["incident"]["acknowledged_at"] is None


def test_a_foreign_host_name_is_refused(client: httpx.Client) -> None:
    """A name that was rebound to this machine cannot read the console."""
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/healthz", headers={"host": "localhost:8080"}).status_code == 200
    assert client.get("/healthz", headers={"host": "[::1]:8080"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/console.css", "/api/v1/overview", "/healthz"])
def test_every_answer_carries_the_security_headers(client: httpx.Client, path: str) -> None:
    """Pages, errors, files and JSON alike."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, "not_found"),
        ("/incidents/999", 404, "not_found"),
        ("/incidents/99999999999999999999", 422, "bad_query"),
        ("/incidents/x", 422, "bad_query"),
        ("/?range=2h", 422, "bad_query"),
        ("/?by=author", 422, "bad_query"),
        ("/?topic=%00", 422, "bad_query"),
        ("/?from=yesterday", 422, "bad_query"),
        ("/documents?before=x", 422, "bad_query"),
        ("/documents?before=2026-01-01,x", 422, "bad_query"),
        ("/documents?sentiment=angry", 422, "bad_query"),
    ],
)
def test_errors_have_one_shape(client: httpx.Client, path: str, status: int, code: str) -> None:
    """A page for people, an object for scripts, the same status for both."""
    page = client.get(path)
    assert page.status_code == status
    assert "<h1>" in page.text
    answer = client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["remedy"]


def test_an_absent_database_is_said_and_not_a_crash(client: httpx.Client) -> None:
    """503 with the remedy; the probe says why; being alive is another matter."""
    engine = connect(AWAY)
    with serving(create_app(engine)) as url, httpx.Client(base_url=url) as lost:
        assert lost.get("/api/v1/overview").json()["error"]["code"] == "database"
        assert lost.get("/", headers=HTML).status_code == 503
        ready = lost.get("/readyz")
        assert ready.status_code == 503
        assert "does not answer" in ready.json()["reasons"]["database"]
        assert lost.get("/healthz").status_code == 200
    engine.dispose()
    assert client.get("/readyz").json() == {"status": "ready", "reasons": {}}


def test_an_old_schema_is_not_ready(client: httpx.Client, engine: Engine) -> None:
    """The console waits for the migration instead of failing on a missing column."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    assert client.get("/readyz").status_code == 503


def test_metrics_are_for_prometheus(client: httpx.Client) -> None:
    """How long pages take, by route and not by address, so that the label stays a closed set."""
    client.get("/incidents/999")
    client.get("/no/such/page")
    metrics = client.get("/metrics").text
    assert 'opinion_web_request_seconds_count{route="/incidents/{incident_id}",status="4xx"}' in metrics
    assert 'route="none"' in metrics
    assert "/no/such/page" not in metrics


def test_pages_cannot_write(client: httpx.Client, engine: Engine) -> None:
    """Reads run in read-only transactions, and give the connection back as it was."""
    client.get("/")
    with engine.begin() as connection:
        assert connection.scalar(text("SHOW transaction_read_only")) == "off"
        assert connection.scalar(text("SHOW statement_timeout")) == "0"


def test_the_language_switch_leaves_a_cookie_and_a_clean_address(client: httpx.Client) -> None:
    """`?lang=` wins over the browser, is kept, and never leads to another host."""
    answer = client.get("/?range=7d&lang=zh", headers={"accept-language": "en"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?range=7d")
    assert '<html lang="zh-Hans"' in client.get("/", headers={"accept-language": "en"}).text
    assert client.get(f"{client.base_url}/evil.example/?lang=en").headers["location"] == "/evil.example/"


def test_crawled_text_is_escaped_wherever_it_appears(client: httpx.Client, engine: Engine) -> None:
    """Text, title, source, topic and address of a document come out as text."""
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"
    store_rows(
        engine,
        [row("x", text=evil, title=evil, source=evil, topic_label=evil, lang=evil, url="javascript:alert(1)")],
    )
    with engine.begin() as connection:
        labels = {"alertname": "NegativeSurge", "rule": "by-source", "source": evil}
        documents = [
            {
                "id": "x",
                "published_at": START.isoformat(),
                "source": evil,
                "url": "javascript:alert(1)",
                "title": evil,
                "text": evil,
                "score_negative": 1,
            }
        ]
        made = add_incident(connection, labels=labels, evidence={"documents": documents, "drivers": {}})
    for path in ("/", "/?by=source", "/?by=language", "/documents", "/incidents", f"/incidents/{made}"):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert 'href="javascript' not in page, path
        assert "&lt;script&gt;" in page, path
        assert "49" not in page.replace("49 ", ""), path
