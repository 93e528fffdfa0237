"""A user's own Alertmanager: the alerts of `POST /api/v2/alerts` (its OpenAPI, `postableAlerts`)."""

import re
from typing import Any

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.excerpts import excerpt
from alerts.rendering.webhook import annotations_of, is_over_in, labels_of, time_text
from alerts.routing.grouping import Message
from storage.incidents import IncidentRow

LABEL_CHARS = 200


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`alerts`, and beside it the `incidents` that they are about. An alert without `endsAt` is firing: the notifier
    says until when, as Prometheus does."""
    return {
        "incidents": [row.id for row in message.members],
        "alerts": [_alert(row, message, options) for row in message.members],
    }


def _alert(row: IncidentRow, message: Message, options: RenderOptions) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "labels": {_label_name(name): excerpt(value, LABEL_CHARS) for name, value in labels_of(row, options).items()},
        "annotations": {_label_name(name): text for name, text in annotations_of(row, options).items()},
        "startsAt": time_text(row.starts_at),
        "generatorURL": options.link(row.id),
    }
    if is_over_in(message, row):
        alert["endsAt"] = time_text(row.ends_at or row.last_fired_at)
    return alert


def _label_name(name: str) -> str:
    """Prometheus takes ASCII letters, digits and underscores; not a digit first."""
    return re.sub(r"[^a-zA-Z0-9_]|^(?=\d)", "_", name)
