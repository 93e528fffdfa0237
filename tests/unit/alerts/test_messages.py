"""What receivers read."""

from datetime import UTC, datetime, timedelta

import msgspec

from alerts.rendering.contract import RenderOptions
from alerts.rendering.excerpts import excerpt
from alerts.rendering.messages import alert_event
from alerts.rendering.webhook import render as webhook_body
from alerts.routing.delivery_ids import delivery_id
from alerts.routing.grouping import Message
from core.records import AlertEvent
from tests.unit.alerts.test_grouping import NOON, incident


def test_excerpts_are_one_visible_line() -> None:
    """Control and direction characters cannot reach a terminal or turn a message around."""
    assert excerpt("a\x1b[31m\u202eb\n\n c\u2028d\x00") == "a [31m b c d"
    assert excerpt("很" * 400) == "很" * 279 + "…"


def test_the_webhook_body_is_alertmanagers_version_4() -> None:
    """Receivers written for Alertmanager find every field they know."""
    rows = [incident(1, {"topic": "sports"}), incident(2, severity="critical")]
    body = webhook_body(Message("firing", rows), {}, RenderOptions("ops", "http://console/"))
    assert set(body) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert body["version"] == "4"
    assert body["commonLabels"] == {"alertname": "NegativeSurge", "rule": "overall"}
    first = body["alerts"][0]
    assert first["labels"]["severity"] == "warning"
    assert (first["startsAt"], first["endsAt"]) == ("2026-03-10T12:00:00Z", "0001-01-01T00:00:00Z")
    assert first["generatorURL"] == "http://console/incidents/1"


def test_the_alert_event_is_the_documented_record() -> None:
    """What goes to the alert topic decodes as `AlertEvent`."""
    ended = incident(1, status="resolved", ends_at=NOON + timedelta(hours=1))
    event = msgspec.convert(alert_event(ended, "resolved", {"a": 1}, delivery="d"), AlertEvent)
    assert event.ends_at == datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
    assert msgspec.convert(alert_event(ended, "firing", {}, delivery="d"), AlertEvent).ends_at is None


def test_delivery_ids_are_stable_and_tell_receivers_apart() -> None:
    """The same parts give the same id on any machine; another receiver another."""
    assert delivery_id("f", NOON, "opened", "a") == delivery_id("f", NOON, "opened", "a")
    assert delivery_id("f", NOON, "opened", "a") != delivery_id("f", NOON, "opened", "b")
