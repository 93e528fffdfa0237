"""From the outbox to real receivers: a broker, an HTTP server, apprise."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from kafka import KafkaConsumer
from sqlalchemy import Engine, select

from alerts.delivery.notifiers.apprise import AppriseNotifier
from alerts.delivery.notifiers.contract import OK, Delivery, Notifier
from alerts.delivery.notifiers.kafka import KafkaNotifier
from alerts.delivery.notifiers.webhook import WebhookNotifier, sign
from alerts.delivery.pipeline import Deliverer
from alerts.rendering.messages import alert_event
from alerts.telling import Receiver, tell
from core.clock import MovableClock
from core.records import AlertEvent
from storage import incidents, notifications
from storage.engine import connect
from storage.notifications import Channel, NotificationRow
from storage.tables import notification
from tests.support.inbox import Inbox, open_inbox
from tests.support.rows import add_incident

NOW = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
HOOK = Receiver("webhook", "hook")
SECRET = "geheim"
ATTEMPTS = 3


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


@pytest.fixture
def webhook(inbox: Inbox) -> Iterator[WebhookNotifier]:
    notifier = WebhookNotifier(inbox.url, secret=SECRET, allow_private=True, timeout_seconds=5)
    yield notifier
    notifier.close()


def put(
    engine: Engine, *deliveries: str, payload: dict[str, Any] | None = None, to: Receiver = HOOK, **incident: Any
) -> None:
    with engine.begin() as connection:
        number = add_incident(connection, **incident)
        rows = [
            NotificationRow(name, number, to.channel, to.name, payload or {"version": "4"}) for name in deliveries
        ]
        notifications.enqueue(connection, rows, due_at=NOW)


def states(engine: Engine) -> dict[str, tuple[str, int]]:
    with engine.connect() as connection:
        columns = (notification.c.delivery_id, notification.c.status, notification.c.attempts)
        return {row.delivery_id: (row.status, row.attempts) for row in connection.execute(select(*columns))}


def deliver(engine: Engine, notifier: Notifier, clock: MovableClock, to: Receiver = HOOK) -> dict[str, int]:
    return dict(Deliverer(engine, {to: notifier}, attempts=ATTEMPTS, clock=clock).run())


def test_a_webhook_gets_a_signed_body_with_its_delivery_id(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier
) -> None:
    """A receiver can check who sent it and drop what it has seen."""
    put(engine, "d1")
    assert deliver(engine, webhook, MovableClock(NOW)) == {"delivered": 1}
    [(headers, body)] = inbox.requests
    assert headers["x-opinion-delivery"] == headers["ce-id"] == "d1"
    assert headers["x-opinion-signature"] == f"sha256={sign(SECRET.encode(), body)}"
    assert json.loads(body) == {"version": "4"}
    assert states(engine) == {"d1": ("delivered", 1)}


def test_a_failing_receiver_is_tried_again_later_with_the_same_message(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier
) -> None:
    """After a 503 the row waits, then the same bytes and the same id go out."""
    put(engine, "d1")
    inbox.answers = [503]
    clock = MovableClock(NOW)
    assert deliver(engine, webhook, clock) == {"retried": 1}
    assert deliver(engine, webhook, clock) == {}
    clock.advance(timedelta(seconds=6))
    assert deliver(engine, webhook, clock) == {"delivered": 1}
    (first_headers, first), (second_headers, second) = inbox.requests
    assert first == second
    assert first_headers["x-opinion-delivery"] == second_headers["x-opinion-delivery"]


def test_news_of_an_incident_keep_their_order_when_one_fails(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier
) -> None:
    """The end of a surge is not told while its beginning still waits to be told; other incidents go on."""
    put(engine, "z-firing", "a-resolved")
    put(engine, "other", starts_at=NOW)
    inbox.answers = [503]
    clock = MovableClock(NOW)
    assert deliver(engine, webhook, clock) == {"retried": 1, "delivered": 1}
    clock.advance(timedelta(seconds=6))
    assert deliver(engine, webhook, clock) == {"delivered": 2}
    told = [headers["x-opinion-delivery"] for headers, _ in inbox.requests]
    assert told == ["z-firing", "other", "z-firing", "a-resolved"]


def test_after_the_last_attempt_a_message_is_dead_and_visible(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier
) -> None:
    """It is not tried for ever, and the reason is kept."""
    put(engine, "d1")
    inbox.answers = [500] * ATTEMPTS
    clock = MovableClock(NOW)
    for _ in range(ATTEMPTS):
        deliver(engine, webhook, clock)
        clock.advance(timedelta(hours=1))
    assert states(engine) == {"d1": ("dead", ATTEMPTS)}
    with engine.connect() as connection:
        assert connection.scalar(select(notification.c.last_error)) == "HTTP 500"


@pytest.mark.parametrize("status", [302, 400, 404])
def test_refusals_and_redirects_are_final(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier, status: int
) -> None:
    """What will not get better is not repeated, and nobody is led elsewhere."""
    put(engine, "d1")
    inbox.answers = [status]
    assert deliver(engine, webhook, MovableClock(NOW)) == {"dead": 1}
    assert len(inbox.requests) == 1


def test_one_dead_receiver_does_not_hold_up_another(engine: Engine, inbox: Inbox, webhook: WebhookNotifier) -> None:
    """A receiver that is gone from the settings ends its own rows only."""
    put(engine, "gone", to=Receiver("apprise", "gone"))
    put(engine, "d1", starts_at=NOW)
    assert deliver(engine, webhook, MovableClock(NOW)) == {"dead": 1, "delivered": 1}


def test_an_erased_or_unsendable_message_ends_dead_and_the_next_one_goes_out(engine: Engine) -> None:
    """A bug in a notifier costs its message, visibly, and neither the lane nor the other messages."""

    class Picky:
        def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
            return OK if payload["n"] else cast("Delivery", payload["missing"])

        def close(self) -> None: ...

    put(engine, "bad", payload={"n": 0})
    put(engine, "good", payload={"n": 1}, starts_at=NOW)
    clock = MovableClock(NOW)
    assert deliver(engine, Picky(), clock) == {"retried": 1, "delivered": 1}
    for _ in range(ATTEMPTS):
        clock.advance(timedelta(hours=1))
        deliver(engine, Picky(), clock)
    assert states(engine) == {"bad": ("dead", ATTEMPTS), "good": ("delivered", 1)}


def test_two_deliverers_at_once_send_each_message_once(
    engine: Engine, inbox: Inbox, webhook: WebhookNotifier
) -> None:
    """A row that one holds is skipped by the other."""
    for n in range(30):
        put(engine, f"d{n}", starts_at=NOW + timedelta(minutes=n))
    threads = [threading.Thread(target=deliver, args=(engine, webhook, MovableClock(NOW))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(h["x-opinion-delivery"] for h, _ in inbox.requests) == sorted(f"d{n}" for n in range(30))


def test_the_alert_topic_gets_keyed_events_with_a_cloud_event_id(
    engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str]
) -> None:
    """A consumer of the real topic reads `AlertEvent`, key and `ce_id`."""
    topic = new_topic("alert")
    with engine.begin() as connection:
        [row] = incidents.by_ids(connection, [add_incident(connection)])
        to = Receiver("kafka", topic)
        event = alert_event(row, "firing", {"documents": []}, delivery="d1")
        notifications.enqueue(connection, [NotificationRow("d1", row.id, to.channel, to.name, event)], due_at=NOW)
    notifier = KafkaNotifier(kafka_bootstrap, topic, timeout_seconds=10)
    assert deliver(engine, notifier, MovableClock(NOW), to) == {"delivered": 1}
    notifier.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    record = next(consumer)
    consumer.close()
    assert record.key == row.fingerprint.encode()
    assert dict(record.headers)["ce_id"] == b"d1"
    decoded = msgspec.json.decode(record.value, type=AlertEvent)
    assert (decoded.labels, decoded.status) == (row.labels, "firing")


def test_a_topic_that_is_not_there_is_retried(engine: Engine, kafka_bootstrap: str, topic_prefix: str) -> None:
    """The message waits in the outbox until the broker can take it; nothing creates topics by accident."""
    to = Receiver("kafka", f"{topic_prefix}.absent")
    put(engine, "d1", payload={"fingerprint": "f"}, to=to)
    notifier = KafkaNotifier(kafka_bootstrap, to.name, timeout_seconds=2)
    assert deliver(engine, notifier, MovableClock(NOW), to) == {"retried": 1}
    notifier.close()


def test_apprise_sends_plain_text(engine: Engine, inbox: Inbox) -> None:
    """A service that apprise knows gets title and body."""
    to = Receiver("apprise", "json")
    put(engine, "d1", payload={"title": "负面舆情激增", "body": "a\nb", "kind": "warning"}, to=to)
    notifier = AppriseNotifier(inbox.url.replace("http://", "json://"))
    assert deliver(engine, notifier, MovableClock(NOW), to) == {"delivered": 1}
    [(_, body)] = inbox.requests
    sent = json.loads(body)
    assert (sent["title"], sent["message"], sent["type"]) == ("负面舆情激增", "a\nb", "warning")


def test_each_receiver_is_told_in_its_own_way(engine: Engine) -> None:
    """One change of an incident lies in the outbox once for each channel, in its form, its language, or as a link."""
    kinds: tuple[Channel, ...] = (
        "webhook",
        "alertmanager",
        "pagerduty",
        "email",
        "feishu",
        "wecom",
        "dingtalk",
        "slack",
    )
    receivers = [Receiver(kind, kind, language="zh") for kind in kinds]
    receivers += [Receiver("kafka", "alerts"), Receiver("apprise", "link", language="en", link_only=True)]
    with engine.begin() as connection:
        number = add_incident(connection)
        tell(connection, {number: ["opened"]}, receivers, console_url="http://c", actor="test", now=NOW)
        rows = connection.execute(select(notification.c.channel, notification.c.payload)).all()
    told = {row.channel: row.payload for row in rows}
    assert len(rows) == len(told) == len(receivers)
    assert told["feishu"]["msg_type"] == "interactive"
    assert told["wecom"]["msgtype"] == told["dingtalk"]["msgtype"] == "markdown"
    assert told["kafka"]["incident_id"] == told["alertmanager"]["incidents"][0] == number
    assert "negative surge" not in json.dumps(told["slack"])
    assert told["apprise"]["body"] == f"http://c/incidents/{number}"
