"""What people do about an incident in the console: forms that change it, previews that do not, a list to find it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from lxml import html
from sqlalchemy import Engine

from core.clock import MovableClock
from storage import feedback, incident_care, incidents, silences, tellings
from storage.engine import connect
from storage.tellings import Telling
from tests.support.consoles import serving
from tests.support.rows import EVIDENCE, add_incident
from web.app import create_app

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
RECEIVERS: Any = (("webhook", "desk"), ("apprise", "chat"))
SENT = {"sent": ""}  # a browser's form is never without any field's type
HOSTILE = "<script>window.hacked = 1</script>{{ 7 * 7 }}\u202e"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS)
    with serving(app) as url, httpx.Client(base_url=url, headers={"accept": "text/html"}) as client:
        yield client


def test_everything_is_done_by_forms(client: httpx.Client, engine: Engine) -> None:
    """Each form is answered by 303 to the page, leaves its line in the timeline, and what it says shows there."""
    with engine.begin() as connection:
        number = add_incident(connection, severity="warning")
    at = f"/incidents/{number}"
    for action, form in (
        ("acknowledge", {}),
        ("assign", {"owner": "李雷"}),
        ("comment", {"text": f"called \r\n them {HOSTILE}"}),
        ("unacknowledge", {}),
        ("resolve", {"comment": "a joke"}),
        ("reopen", {}),
        ("feedback", {"verdict": "noise", "reason": "old story"}),
        ("silence", {"match": 'topic="finance"\nseverity="warning"', "for": "1d", "why": "known"}),
    ):
        answer = client.post(f"{at}/{action}", data=form or SENT)
        assert answer.status_code == 303, (action, answer.text)
        assert answer.headers["location"].startswith(at)
    with engine.connect() as connection:
        events = incident_care.history(connection, number)
        assert [one.transition for one in events][1:] == [
            "acknowledged", "assigned", "commented", "unacknowledged", "closed", "reopened",
        ]  # fmt: skip
        assert {one.actor for one in events[1:]} == {"console"}
        [said] = feedback.of_incident(connection, number)
        assert (said.verdict, said.comment, said.given_by) == ("noise", "old story", "console")
        [made] = silences.known(connection)
        assert made.conditions == ['topic="finance"', 'severity="warning"']
        assert (made.ends_at, made.comment) == (NOW + timedelta(days=1), "known")
    page = client.get(at, headers={"accept-language": "en"})
    found = html.fromstring(page.text)
    assert found.xpath("//script[not(@src) and not(@type='application/json')]") == []
    steps = [" ".join(one.text_content().split()) for one in found.xpath("//ol[@class='timeline']/li")]
    assert any("called them <script>" in step and "{{ 7 * 7 }}" in step for step in steps)
    assert any("assigned 李雷" in step for step in steps)
    assert any("not useful" in step and "old story" in step for step in steps)
    assert f"Silence {made.id} of console" in page.text
    assert "silence 1 of console mutes it" in " ".join(page.text.split())
    assert client.post(f"{at}/unsilence", data={"silence": str(made.id)}).status_code == 303
    with engine.connect() as connection:
        assert silences.active(connection, NOW) == []


REFUSED = [
    ("comment", {"text": "  "}, 422, "there is nothing in it"),
    ("assign", {"owner": "x" * 101}, 422, "at most 100 characters"),
    ("feedback", {"verdict": "superb"}, 422, "choose one of the answers"),
    ("silence", {"match": "topic"}, 422, "not a matcher"),
    ("silence", {"match": 'topic=~".*"'}, 422, "mute nearly everything"),
    ("silence", {"match": 'topic="a"', "until": "soon"}, 422, "not a time"),
    ("silence", {"match": 'topic="a"', "until": "2020-01-01T00:00"}, 422, "end before it begins"),
    ("silence", {"match": "\n".join(['topic="a"'] * 21)}, 422, "at most 20 matchers"),
    ("reopen", SENT, 409, "over by the counts"),
    ("unsilence", {"silence": "9"}, 404, ""),
    ("unsilence", {"silence": "x"}, 404, ""),
    ("explode", SENT, 422, ""),
]


def test_what_cannot_be_done_says_why_and_keeps_what_was_typed(client: httpx.Client, engine: Engine) -> None:
    """The page comes back with the reason and the form as it was; nothing has changed."""
    with engine.begin() as connection:
        number = add_incident(connection, status="resolved", ends_at=NOW)
        before = incidents.one(connection, number)
    for action, form, status, said in REFUSED:
        answer = client.post(f"/incidents/{number}/{action}", data=form, headers={"accept-language": "en"})
        assert answer.status_code == status, (action, form)
        if said:
            page = html.fromstring(answer.text)
            [alert] = page.xpath("//*[@role='alert' and contains(@class, 'problem')]")
            assert said in alert.text_content()
            if action == "silence":
                assert page.xpath("//textarea[@name='match']")[0].text.strip() == form["match"]
    with engine.connect() as connection:
        assert incidents.one(connection, number) == before
        assert silences.known(connection) == []
    assert client.post("/incidents/999/comment", data={"text": "x"}).status_code == 404


def test_a_silence_is_seen_before_it_is_made(client: httpx.Client, engine: Engine) -> None:
    """The matchers are those of the incident; the preview counts what they would mute, and a GET makes nothing."""
    with engine.begin() as connection:
        number = add_incident(connection)
        add_incident(connection, starts_at=NOW, labels={"alertname": "NegativeSurge", "topic": "sports"})

    def seen(**query: str) -> tuple[str, str]:
        page = html.fromstring(
            client.get(f"/incidents/{number}", params=query, headers={"accept-language": "en"}).text
        )
        [preview] = page.xpath("//*[@id='silence-preview']")
        return page.xpath("//textarea[@name='match']")[0].text.strip(), " ".join(preview.text_content().split())

    matchers, preview = seen()
    assert matchers.splitlines() == ['rule="by-topic"', 'topic="finance"', 'alertname="NegativeSurge"']
    assert "would mute now: 1" in preview
    assert "would mute now: 2" in seen(match='alertname="NegativeSurge"')[1]
    assert "no open incident" in seen(match='topic="nothing"')[1]
    assert "not a matcher" in seen(match="<b>")[1]
    with engine.connect() as connection:
        assert silences.known(connection) == []


def test_the_page_says_who_was_told_and_who_would_hear(client: httpx.Client, engine: Engine) -> None:
    """Receivers that have heard of it with when and how often; the others with the answer of the dry run."""
    with engine.begin() as connection:
        number = add_incident(connection)
        tellings.save(
            connection,
            [Telling(number, "webhook", "desk", "firing", NOW - timedelta(hours=1), NOW, 8.5, messages=3)],
        )
    page = html.fromstring(client.get(f"/incidents/{number}", headers={"accept-language": "en"}).text)
    card = " ".join(page.xpath("//section[@aria-labelledby='told-title']")[0].text_content().split())
    assert "desk webhook 03-10 22:00 03-10 23:003" in card
    assert "desk was told" in card
    assert "chat now" in card


def test_figures_lead_to_their_documents(client: httpx.Client, engine: Engine) -> None:
    """The observed number, each driver and each example link to what they count."""
    drivers = {
        "source": [{"name": "forum & co", "negative": 30, "total": 40, "usual": 2.5, "excess": 27.5}],
        "term": [{"name": "刹车", "negative": 9, "usual": 0.5, "excess": 8.5}],
    }
    window = {"window_starts_at": "2026-03-10T01:00:00+00:00", "window_ends_at": "2026-03-10T01:20:00+00:00"}
    [document] = EVIDENCE["documents"]
    examples = [{**document, "id": "a/b?c", "text": "又是刹车 <b>"}]
    with engine.begin() as connection:
        body = {**EVIDENCE, **window, "drivers": drivers, "documents": examples}
        number = add_incident(connection, evidence=body)
    page = client.get(f"/incidents/{number}").text
    links = set(html.fromstring(page).xpath("//a/@href"))
    scope = "from=2026-03-10T01:00Z&to=2026-03-10T01:20Z&topic=finance"
    of = {link for link in links if scope in link}
    assert any("sentiment=negative" in link for link in of)
    assert any("source=forum+%26+co" in link for link in of)
    assert any("q=%E5%88%B9%E8%BD%A6" in link for link in of)
    assert "/documents/a%2Fb%3Fc" in links
    assert "又是<mark>刹车</mark> &lt;b&gt;" in page


def test_the_list_is_narrowed_counted_and_paged(client: httpx.Client, engine: Engine) -> None:
    """Filters of the query string hold together; the chips count what each would show; 50 stand on a page."""
    with engine.begin() as connection:
        for nth in range(60):
            over = {"status": "resolved", "ends_at": NOW} if nth >= 4 else {}
            add_incident(
                connection,
                starts_at=NOW - timedelta(hours=nth),
                severity="info" if nth % 2 else "warning",
                labels={
                    "alertname": "NegativeSurge",
                    "topic": "finance",
                    "watchlist": "50%_off" if nth < 10 else "茶",
                },
                **over,
            )

    def seen(path: str) -> tuple[int, list[str]]:
        page = html.fromstring(client.get(path, headers={"accept-language": "en"}).text)
        chips = [" ".join(one.text_content().split()) for one in page.xpath("//nav[@class='segments']/a")]
        return len(page.xpath("//li[contains(@class, 'incident')]")), chips

    assert seen("/incidents") == (
        50, ["All 60", "firing 4", "resolved 56", "Any 60", "critical 0", "warning 30", "info 30"],
    )  # fmt: skip
    assert seen("/incidents?page=2")[0] == 10
    assert seen("/incidents?status=firing&severity=info")[0] == 2
    assert seen("/incidents?watchlist=50%25_off&status=resolved") == (
        6, ["All 10", "firing 4", "resolved 6", "Any 6", "critical 0", "warning 3", "info 3"],
    )  # fmt: skip
    assert seen("/incidents?q=50%25_")[0] == 10
    assert seen("/incidents?q=" + "茶")[0] == 50
    assert "No incident matches" in client.get("/incidents?rule=none", headers={"accept-language": "en"}).text
    api = client.get("/api/v1/incidents?watchlist=50%25_off&status=resolved&limit=4&page=2").json()
    assert [one["labels"]["watchlist"] for one in api] == ["50%_off"] * 2
    assert seen("/incidents?status=&severity=&rule=&watchlist=&topic=&source=&q=")[0] == 50
    for wrong in ("page=0", "status=loud", "q=%00", "q=" + "x" * 201):
        assert client.get(f"/incidents?{wrong}").status_code == 422
