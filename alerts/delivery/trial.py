"""The message that `opinion channels test` sends: an incident that says it is none. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from alerts.detection.rules import fingerprint
from alerts.rendering.messages import TEST_ALERT
from alerts.routing.grouping import Message
from storage.incidents import IncidentRow
from storage.notifications import Channel

KEEP_INCIDENTS = {"pagerduty", "alertmanager"}  # what is opened there has to be closed again
LABELS = {"alertname": TEST_ALERT, "rule": "test"}


def messages_of_test(now: datetime, channel: Channel) -> Iterator[Message]:
    """A firing one; and its end, where receivers keep incidents."""
    row = IncidentRow(
        id=0,
        fingerprint=fingerprint(LABELS),
        rule="test",
        labels=LABELS,
        severity="info",
        status="firing",
        starts_at=now,
        ends_at=None,
        detected_at=now,
        last_fired_at=now,
        observed=0,
        expected=0,
        score=0,
        notified_score=0,
        annotations={
            "summary": "测试消息：这条通道是通的 / a test: this channel works",
            "summary_zh": "测试消息：这条通道是通的",
            "summary_en": "a test: this channel works",
        },
        acknowledged_at=None,
        acknowledged_by=None,
        told=None,
    )
    yield Message("firing", [row])
    if channel in KEEP_INCIDENTS:
        yield Message("resolved", [replace(row, status="resolved", ends_at=now)])
