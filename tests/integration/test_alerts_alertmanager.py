"""Push to a user's Alertmanager: the real one where it is installed, its OpenAPI's shape everywhere."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import Engine

from alerts.delivery.notifiers.alertmanager import HOLDS, AlertmanagerNotifier
from alerts.delivery.pipeline import Deliverer
from alerts.rendering.contract import RenderOptions
from alerts.rendering.renderers import render
from alerts.routing.grouping import Message
from alerts.telling import Receiver
from core.clock import MovableClock, SystemClock
from storage import incidents, notifications
from storage.engine import connect
from storage.notifications import NotificationRow
from tests.support.alertmanager import alerts_of, running
from tests.support.inbox import Inbox, open_inbox
from tests.support.rows import add_incident
from tests.support.waiting import wait_for

OURS = Receiver("alertmanager", "am")
OPTIONS = RenderOptions("am", "https://console.example")
NOW = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
POSTABLE = {  # `postableAlerts` of Alertmanager's api/v2/openapi.yaml
    "type": "array",
    "items": {
        "type": "object",
        "required": ["labels"],
        "properties": {
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "generatorURL": {"type": "string", "format": "uri"},
        },
        "additionalProperties": False,
    },
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


def tell(engine: Engine, number: int, status: str, at: datetime) -> None:
    """What the outbox gets when people are told of this incident."""
    with engine.begin() as connection:
        [row] = incidents.by_ids(connection, [number])
        payload = render("alertmanager", Message(status, [row]), {}, OPTIONS)  # type: ignore[arg-type]
        line = NotificationRow(f"{number}-{status}", number, "alertmanager", "am", payload)
        notifications.enqueue(connection, [line], due_at=at)


def posted(inbox: Inbox) -> list[list[dict[str, Any]]]:
    bodies = [json.loads(body) for _, body in inbox.requests]
    for body in bodies:
        jsonschema.validate(body, POSTABLE, format_checker=jsonschema.FormatChecker())
    return bodies


def test_a_real_alertmanager_takes_the_alert_and_its_end(inbox: Inbox, tmp_path: Path) -> None:
    """It fires there under our labels with the link back, and the end that we push is passed on to its receivers."""
    from tests.unit.alerts.test_grouping import incident  # rows as the routing hands them over

    now = datetime.now(UTC)
    row = incident(
        1,
        {"source": "weibo", "主题": "汽车", "empty": ""},
        starts_at=now - timedelta(minutes=5),
        annotations={"summary": "“刹车失灵”\n<b>"},
    )
    with running(tmp_path, inbox.url) as url:
        notifier = AlertmanagerNotifier(url, SystemClock(), allow_private=True, timeout_seconds=5)
        assert notifier.send(render("alertmanager", Message("firing", [row]), {}, OPTIONS), "d1").outcome == "ok"
        [alert] = wait_for(lambda: alerts_of(url), 5, "the alert to fire there")
        assert alert["labels"]["source"] == "weibo"
        assert alert["generatorURL"] == "https://console.example/incidents/1"
        ends = datetime.fromisoformat(alert["endsAt"])
        assert timedelta(0) <= ends - now - HOLDS < timedelta(seconds=30)
        wait_for(lambda: inbox.requests, 10, "Alertmanager to tell its own receiver")
        over = replace(row, status="resolved", ends_at=now)
        assert notifier.send(render("alertmanager", Message("resolved", [over]), {}, OPTIONS), "d2").outcome == "ok"
        wait_for(
            lambda: [json.loads(body)["status"] for _, body in inbox.requests][-1] == "resolved",
            10,
            "the end to be told",
        )
        assert alerts_of(url) == []


def test_what_fires_is_told_again_each_minute_until_it_ends(engine: Engine, inbox: Inbox) -> None:
    """As Prometheus does: the end moves on while it fires; after the end nothing is repeated; a restart goes on."""
    clock = MovableClock(NOW)
    notifier = AlertmanagerNotifier(inbox.url + "am/", clock, allow_private=True, timeout_seconds=5, token="geheim")
    with engine.begin() as connection:
        number = add_incident(connection)
    tell(engine, number, "firing", NOW)

    def run() -> int:
        before = len(inbox.requests)
        Deliverer(engine, {OURS: notifier}, attempts=3, clock=clock).run()
        return len(inbox.requests) - before

    deliverer = Deliverer(engine, {OURS: notifier}, attempts=3, clock=clock)
    assert deliverer.run() == {"delivered": 1}
    first = len(inbox.requests)
    clock.advance(timedelta(seconds=30))
    deliverer.run()
    assert len(inbox.requests) == first
    clock.advance(timedelta(seconds=30))
    deliverer.run()
    assert len(inbox.requests) == first + 1
    assert run() == 1  # another scheduler begins with a repeat
    [alert] = posted(inbox)[-1]
    assert datetime.fromisoformat(alert["endsAt"]) == clock.now() + HOLDS
    assert inbox.paths[-1] == "/am/api/v2/alerts"
    assert inbox.requests[-1][0]["authorization"] == "Bearer geheim"
    with engine.begin() as connection:
        incidents.change(connection, number, status="resolved", ends_at=NOW)
    tell(engine, number, "resolved", clock.now())
    assert run() == 1
    [alert] = posted(inbox)[-1]
    assert datetime.fromisoformat(alert["endsAt"]) == NOW
    clock.advance(timedelta(minutes=2))
    assert run() == 0


def test_an_alertmanager_that_is_away_gets_the_news_later(engine: Engine, inbox: Inbox) -> None:
    """Repeats that fail are made up for by the next; the first news stays in the outbox until it arrives."""
    clock = MovableClock(NOW)
    inbox.answers = [503, 503]
    notifier = AlertmanagerNotifier(inbox.url, clock, allow_private=True, timeout_seconds=5)
    with engine.begin() as connection:
        number = add_incident(connection)
    tell(engine, number, "firing", NOW)
    deliverer = Deliverer(engine, {OURS: notifier}, attempts=5, clock=clock)
    assert deliverer.run() == {"retried": 1}
    clock.advance(timedelta(seconds=6))
    assert deliverer.run() == {"retried": 1}
    clock.advance(timedelta(seconds=13))
    assert deliverer.run() == {"delivered": 1}
