"""Incidents, silences and subscriptions over HTTP: the same rules as by command, and never by another site."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.rows import add_incident
from web.app import create_app

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)  # 23:00 in Shanghai
RECEIVERS = (("webhook", "desk"), ("apprise", "chat"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS)  # type: ignore[arg-type]
    with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        yield client


@pytest.fixture
def number(engine: Engine) -> int:
    with engine.begin() as connection:
        return add_incident(connection, severity="warning")


def test_an_incident_is_taken_care_of(client: httpx.Client, number: int) -> None:
    """Each step shows in the answer, and in the history."""
    at = f"/incidents/{number}"
    assert client.post(f"{at}/acknowledge", json={"by": "王芳"}).json()["state"] == "acknowledged"
    assert client.post(f"{at}/assign", json={"owner": "李雷", "by": "王芳"}).json()["owner"] == "李雷"
    assert client.post(f"{at}/comments", json={"text": "called them"}).status_code == 200
    assert client.post(f"{at}/resolve", json={"comment": "a joke"}).json()["state"] == "resolved"
    assert client.post(f"{at}/reopen", json={}).json()["state"] == "acknowledged"
    assert client.post(f"{at}/unacknowledge", json={}).json()["state"] == "firing"
    events = [one["transition"] for one in client.get(at).json()["events"]]
    assert events[1:] == ["acknowledged", "assigned", "commented", "closed", "reopened", "unacknowledged"]


def test_what_is_over_by_the_counts_is_not_reopened(client: httpx.Client, engine: Engine) -> None:
    """409 with the reason; an unknown incident is 404."""
    with engine.begin() as connection:
        number = add_incident(connection, status="resolved", ends_at=NOW)
    answer = client.post(f"/incidents/{number}/reopen", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_possible")
    assert client.post("/incidents/99/acknowledge", json={}).status_code == 404


def test_silences_are_tried_made_listed_and_ended(client: httpx.Client, number: int) -> None:
    """What would be muted, by whom and until when."""
    matchers = ['topic=~"finance|sports"', "severity!=critical"]
    assert client.post("/silences/preview", json={"matchers": matchers}).json() == {"mutes": [number]}
    wanted = {"matchers": matchers, "ends_at": (NOW + timedelta(hours=2)).isoformat(), "comment": "final", "by": "我"}
    made = client.post("/silences", json=wanted)
    assert made.status_code == 201
    assert made.json()["matchers"] == ['topic=~"finance|sports"', 'severity!="critical"']
    assert [one["is_active"] for one in client.get("/silences").json()] == [True]
    who = client.get(f"/incidents/{number}/who").json()
    assert {one["outcome"] for one in who} == {"no"}
    assert all("silence" in one["reason"] for one in who)
    ended = client.delete(f"/silences/{made.json()['id']}").json()
    assert (ended["is_active"], ended["expired_by"]) == (False, "console")
    assert client.get("/silences").json() == []
    assert len(client.get("/silences?all=true").json()) == 1
    assert {one["outcome"] for one in client.get(f"/incidents/{number}/who").json()} == {"now"}


WRONG_MATCHERS = [
    (["topic"], "not a matcher"),
    (['topic=~"("'], "not a regular expression"),
    (["topic!=sports"], "label is missing"),
    (['topic=~".*"'], "label is missing"),
    (['topic="a\u0000"'], "control characters"),
    (['topic=~"' + "a" * 300 + '"'], "too long"),
]


def test_a_silence_that_cannot_be_used_is_refused(client: httpx.Client) -> None:
    """422 names the matcher and the cause."""
    for matchers, says in WRONG_MATCHERS:
        answer = client.post("/silences", json={"matchers": matchers, "ends_at": "2026-03-10T17:00:00Z"})
        assert answer.status_code == 422
        assert says in answer.json()["error"]["message"]


def test_a_subscription_and_who_hears_by_it(client: httpx.Client) -> None:
    """Put, read, asked and removed."""
    desk = {"who": ["desk"], "match": ["topic=sports"], "quiet": {"hours": "22:00-07:00"}}
    made = client.put("/subscriptions/desk", json=desk).json()
    assert made["definition"] == {**desk, "match": ['topic="sports"']}
    assert client.get("/subscriptions/desk").json() == made
    assert client.get("/subscriptions").json() == [made]
    answers = client.post("/who", json={"labels": {"topic": "sports"}}).json()
    assert [(one["receiver"], one["outcome"], one["at"]) for one in answers] == [
        ("desk", "held", "2026-03-10T23:00:00Z"),
        ("chat", "no", None),
    ]
    later = {"labels": {"topic": "sports"}, "at": "2026-03-11T09:00:00+08:00"}
    assert client.post("/who", json=later).json()[0]["outcome"] == "now"
    assert (
        client.post("/who", json={"labels": {"topic": "finance"}}).json()[0]["reason"]
        == 'topic="sports" does not hold'
    )
    assert client.delete("/subscriptions/desk").status_code == 204
    assert client.delete("/subscriptions/desk").status_code == 404


WRONG_SUBSCRIPTIONS: list[tuple[Any, str]] = [
    ({"who": []}, "who"),
    ({"who": ["desk"], "match": ["topic"]}, "match.0"),
    ({"who": ["desk"], "quiet": {"hours": "25:00-07:00"}}, "quiet.hours"),
    ({"who": ["desk"], "quiet": {"hours": "07:00-07:00"}}, "same time"),
    ({"who": ["desk"], "quiet": {"zone": "../../etc/passwd"}}, "not a time zone"),
    ({"who": ["desk"], "quiet": {"zone": "Mars/Base"}}, "not a time zone"),
    ({"who": ["desk"], "digest": {"weekly": "someday 09:00"}}, "digest.weekly"),
    ({"who": ["desk"], "escalate": [{"after": "soon", "to": ["chat"]}]}, "not a duration"),
    ({"who": ["desk"], "instant": False}, "it would tell nothing"),
    ({"who": ["desk"], "when": "always"}, "when"),
]


def test_a_subscription_that_cannot_be_used_is_named(client: httpx.Client) -> None:
    """422 with field and cause, and nothing is stored."""
    for body, says in WRONG_SUBSCRIPTIONS:
        answer = client.put("/subscriptions/x", json=body)
        assert answer.status_code == 422
        assert says in answer.json()["error"]["message"]
    assert client.get("/subscriptions").json() == []


def test_another_site_cannot_change_anything(client: httpx.Client, number: int) -> None:
    """Nothing that changes is taken from a foreign page."""
    headers = {"sec-fetch-site": "cross-site"}
    for method, path in [
        ("POST", f"/incidents/{number}/acknowledge"),
        ("POST", f"/incidents/{number}/resolve"),
        ("POST", "/silences"),
        ("DELETE", "/silences/1"),
        ("PUT", "/subscriptions/x"),
        ("DELETE", "/subscriptions/x"),
    ]:
        assert client.request(method, path, headers=headers, json={}).status_code == 403
