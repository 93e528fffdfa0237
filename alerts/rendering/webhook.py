"""Webhooks: Alertmanager's body, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config)."""

import json
from datetime import datetime
from typing import Any

import msgspec

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.digest import digest_body
from alerts.rendering.messages import harmless
from alerts.routing.grouping import Message
from storage.incidents import IncidentRow

MOST_BYTES = 256_000
NEVER = "0001-01-01T00:00:00Z"


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """As many alerts as fit, the leading one always; `truncatedAlerts` counts the others."""
    alerts = [_alert(row, message, options) for row in message.members]
    common = dict(sorted(set.intersection(*(set(alert["labels"].items()) for alert in alerts)))) if alerts else {}
    group = {"alertname": common["alertname"]} if "alertname" in common else {}
    kept, size = 0, 0
    for alert in alerts:
        size += len(msgspec.json.encode(alert)) + 1
        if kept and size > MOST_BYTES:
            break
        kept += 1
    return {
        **({"digest": digest_body(message.digest)} if message.digest is not None and not options.link_only else {}),
        "version": "4",
        "groupKey": "{}:" + json.dumps(group, sort_keys=True),
        "truncatedAlerts": len(alerts) - kept,
        "status": "resolved" if message.status == "resolved" else "firing",
        "receiver": options.receiver,
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": options.console_url,
        "alerts": alerts[:kept],
    }


def _alert(row: IncidentRow, message: Message, options: RenderOptions) -> dict[str, Any]:
    is_over = is_over_in(message, row)
    return {
        "status": "resolved" if is_over else "firing",
        "labels": labels_of(row, options),
        "annotations": annotations_of(row, options),
        "startsAt": time_text(row.starts_at),
        "endsAt": time_text(row.ends_at) if is_over and row.ends_at else NEVER,
        "generatorURL": options.link(row.id),
        "fingerprint": row.fingerprint,
    }


def is_over_in(message: Message, row: IncidentRow) -> bool:
    """Whether the message says that this incident is over; in a digest each has its own status."""
    return row.state == "resolved" if message.digest is not None else message.status == "resolved"


def labels_of(row: IncidentRow, options: RenderOptions) -> dict[str, str]:
    """Identity and severity; without what was crawled, the fingerprint keeps incidents apart."""
    if options.link_only:
        name = row.labels.get("alertname", row.rule)
        return {"alertname": name, "fingerprint": row.fingerprint, "severity": row.severity}
    return {**row.labels, "severity": row.severity}


def annotations_of(row: IncidentRow, options: RenderOptions) -> dict[str, str]:
    """Prose and figures; the prose of the receiver's language stands under `summary`."""
    if options.link_only:
        return {}
    told = {name: harmless(text) for name, text in row.annotations.items()}
    if options.language != "both" and (own := told.get(f"summary_{options.language}")):
        told["summary"] = own
        del told["summary_en" if options.language == "zh" else "summary_zh"]
    return told


def time_text(at: datetime) -> str:
    """RFC 3339 as Go writes it."""
    return at.isoformat().replace("+00:00", "Z")
