"""PagerDuty: Events API v2 (developer.pagerduty.com/docs/events-api-v2-overview), without the routing key."""

from typing import Any

import msgspec

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import plain
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, fit, lines_of
from alerts.rendering.webhook import is_over_in, time_text
from alerts.routing.grouping import Message
from core.records import AlertStatus
from storage.incidents import IncidentRow

MOST_BYTES = 512_000
SUMMARY_CHARS = 1024
ACTIONS = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`events`: one that triggers; or one for each member that is over, since any of them may have led before. Of a
    digest, one for each of its incidents."""
    if message.digest is not None:
        parts = [_of_digest(message, row, evidence, options) for row in message.members]
        return {"events": [event for part in parts for event in part["events"]]}
    action = ACTIONS.get(message.status, "trigger")
    if action != "trigger":
        events = [{"event_action": action, "dedup_key": thread_of(row)} for row in message.members]
        return {"events": events}
    lead = message.members[0]

    def build(story: Story) -> dict[str, Any]:
        return {"events": [_trigger(lead, story)]}

    story = story_of(message, evidence, options).mapped(plain)
    return fit(story, build, lambda made: len(msgspec.json.encode(made)) <= MOST_BYTES)


def _of_digest(message: Message, row: IncidentRow, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    status: AlertStatus = "resolved" if is_over_in(message, row) else "firing"
    return render(Message(status, [row]), evidence, options)


def thread_of(row: IncidentRow) -> str:
    """The same through an incident's life, whoever tells of it; another for the next incident of the series."""
    return f"opinion-{row.fingerprint}-{int(row.detected_at.timestamp())}"


def _trigger(lead: IncidentRow, story: Story) -> dict[str, Any]:
    return {
        "event_action": "trigger",
        "dedup_key": thread_of(lead),
        "client": "opinion",
        "client_url": story.link,
        "links": [{"href": story.link, "text": "opinion"}],
        "payload": {
            "summary": story.title[:SUMMARY_CHARS],
            "source": "opinion",
            "severity": lead.severity,
            "timestamp": time_text(lead.starts_at),
            "class": lead.labels.get("alertname", lead.rule),
            "custom_details": {"summary": list(lines_of(story)), "examples": list(story.quotes)},
        },
    }
