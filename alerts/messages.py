"""What receivers get, from incidents and their evidence. Chinese and English side by side.

Crawled text goes through `evidence.excerpt` and `harmless`, so that no renderer takes it for markup or a mention.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.evidence import excerpt
from alerts.grouping import Message, importance
from alerts.lifecycle import Episode
from alerts.rules import ALERT_NAME, DEAD_LETTER_ALERT, SOURCE_ALERT, SOURCE_OUTAGE_ALERT, VOLUME_ALERT
from core.records import AlertEvent, AlertStatus
from core.taxonomy import TOPIC_NAMES_ZH
from storage.incidents import IncidentRow

MOST_TEXT_CHARS = 3500  # the shortest limit of the big chat services is about 4,000
QUOTE_CHARS = 120
SEVERITY_ZH = {"info": "提示", "warning": "警告", "critical": "严重"}
SUBJECTS = (
    ("watchlist", "关注", "watchlist"),
    ("source", "来源", "source"),
    ("lang", "语言", "lang"),
    ("kind", "类型", "kind"),
    ("kafka_topic", "原始记录", "records of"),
)
TITLES = {  # firing and over, each in Chinese and in English
    ALERT_NAME: (("负面舆情激增", "negative surge"), ("负面舆情回落", "negative surge over")),
    VOLUME_ALERT: (("声量激增", "surge of documents"), ("声量回落", "surge of documents over")),
    SOURCE_ALERT: (("来源沉默", "source is silent"), ("来源恢复", "source is back")),
    SOURCE_OUTAGE_ALERT: (("来源大面积中断", "sources are silent"), ("来源恢复", "sources are back")),
    DEAD_LETTER_ALERT: (("死信过多", "too many dead letters"), ("死信恢复正常", "dead letters back to usual")),
}
MARKUP = str.maketrans({"<": "‹", ">": "›", "`": "'", "*": "＊", "_": "＿", "[": "［", "]": "］", "@": "＠"})


def delivery_id(*parts: object) -> str:
    """The same change for the same receiver has the same id, over retries and restarts."""
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:32]


def harmless(text: str) -> str:
    """One line without any character that a terminal, HTML or a chat service would read as markup or a mention."""
    return excerpt(text, most=len(text)).translate(MARKUP)


def subject(labels: Mapping[str, str]) -> tuple[str, str]:
    """What surged, in Chinese and in English."""
    zh, en = [], []
    if topic := labels.get("topic"):
        zh.append(f"话题 {TOPIC_NAMES_ZH.get(topic, topic)}")
        en.append(f"topic {topic}")
    for label, name_zh, name in SUBJECTS:
        if value := labels.get(label):
            zh.append(f"{name_zh} {value}")
            en.append(f"{name} {value}")
    return " · ".join(zh) or "全部文档", " · ".join(en) or "all documents"


def annotations(labels: Mapping[str, str], episode: Episode) -> dict[str, str]:
    """Prose and figures that are kept with the incident."""
    zh, en = subject(labels)
    observed, minutes = round(episode.observed), round(episode.window_seconds / 60)
    expected = f"{episode.expected:.1f}"
    share = f"{episode.observed / episode.documents:.0%}" if episode.documents else "-"
    usual = f"{episode.expected_share:.0%}"
    if labels.get("alertname") == VOLUME_ALERT:
        in_zh = f"{zh}：{minutes} 分钟内文档 {observed} 条，通常约 {expected} 条"
        in_en = f"{en}: {observed} documents in {minutes} min, usually about {expected}"
    else:
        in_zh = f"{zh}：{minutes} 分钟内负面 {observed} 条，通常约 {expected} 条；占比 {share}，通常 {usual}"
        in_en = (
            f"{en}: {observed} negative in {minutes} min, usually about {expected}; share {share}, usually {usual}"
        )
    return {
        "summary": f"{in_zh} / {in_en}",
        "summary_zh": in_zh,
        "summary_en": in_en,
        "window_minutes": str(minutes),
        "share": share,
        "usual_share": usual,
    }


def dead_letter_annotations(
    labels: Mapping[str, str], *, dead_lettered: int, minutes: int, share: float, usual_share: float
) -> dict[str, str]:
    """The same for an incident of dead letters."""
    zh, en = subject(labels)
    in_zh = f"{zh}：{minutes} 分钟内死信 {dead_lettered} 条；占比 {share:.1%}，通常 {usual_share:.1%}"
    in_en = f"{en}: {dead_lettered} dead letters in {minutes} min; share {share:.1%}, usually {usual_share:.1%}"
    return {
        "summary": f"{in_zh} / {in_en}",
        "summary_zh": in_zh,
        "summary_en": in_en,
        "window_minutes": str(minutes),
        "share": f"{share:.1%}",
        "usual_share": f"{usual_share:.1%}",
        "next": "opinion dlq list",
    }


def source_annotations(
    labels: Mapping[str, str], *, names: Sequence[str], minutes: int, expected: float
) -> dict[str, str]:
    """The same for a source that is silent, or many of them."""
    zh, en = subject(labels)
    if "source" not in labels:
        zh, en = f"{len(names)} 个来源", f"{len(names)} sources"
    in_zh = f"{zh}：{minutes} 分钟没有新文档，通常约 {expected:.0f} 篇"
    in_en = f"{en}: nothing for {minutes} min, usually about {expected:.0f} documents"
    return {
        "summary": f"{in_zh} / {in_en}",
        "summary_zh": in_zh,
        "summary_en": in_en,
        "window_minutes": str(minutes),
        "next": "opinion sources list",
    }


def alert_event(row: IncidentRow, status: AlertStatus, evidence: dict[str, Any], *, delivery: str) -> dict[str, Any]:
    """`core.records.AlertEvent` as JSON values."""
    event = AlertEvent(
        delivery_id=delivery,
        incident_id=row.id,
        fingerprint=row.fingerprint,
        status=status,
        severity=row.severity,
        labels=row.labels,
        annotations=row.annotations,
        starts_at=row.starts_at,
        ends_at=row.ends_at if status == "resolved" else None,
        detected_at=row.detected_at,
        observed=row.observed,
        expected=row.expected,
        evidence=evidence,
    )
    body: dict[str, Any] = msgspec.to_builtins(event)
    return body


def webhook_body(message: Message, *, receiver: str, console_url: str) -> dict[str, Any]:
    """Alertmanager's webhook body, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config)."""
    alerts = [_webhook_alert(row, message.status, console_url) for row in message.members]
    common = dict(set.intersection(*(set(alert["labels"].items()) for alert in alerts)))
    group = {"alertname": common["alertname"]} if "alertname" in common else {}
    return {
        "version": "4",
        "groupKey": "{}:" + json.dumps(group, sort_keys=True),
        "truncatedAlerts": 0,
        "status": message.status,
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": console_url,
        "alerts": alerts,
    }


def _webhook_alert(row: IncidentRow, status: AlertStatus, console_url: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {**row.labels, "severity": row.severity},
        "annotations": {name: harmless(text) for name, text in row.annotations.items()},
        "startsAt": _time(row.starts_at),
        "endsAt": _time(row.ends_at) if status == "resolved" and row.ends_at else "0001-01-01T00:00:00Z",
        "generatorURL": f"{console_url.rstrip('/')}/incidents/{row.id}",
        "fingerprint": row.fingerprint,
    }


def plain_text(message: Message, evidence: Mapping[int, dict[str, Any]], *, console_url: str) -> dict[str, Any]:
    """Title, body and kind of a short text for people."""
    lead = message.members[0]
    zh, en = subject(lead.labels)
    firing, over = TITLES.get(lead.labels.get("alertname", ""), TITLES[ALERT_NAME])
    if message.status == "firing":
        title = f"【{SEVERITY_ZH[lead.severity]}】{firing[0]}：{zh} | ({lead.severity}) {firing[1]}: {en}"
    else:
        title = f"【已恢复】{over[0]}：{zh} | (resolved) {over[1]}: {en}"
    lines = [_line(row) for row in sorted(message.members, key=importance, reverse=True)]
    if message.status == "firing":
        body_of_lead = evidence.get(lead.id, {})
        lines += [_quote(d) for d in body_of_lead.get("documents", [])]
        if reasons := body_of_lead.get("reasons"):
            lines.append(harmless(" · ".join(f"{one['name']} {one['count']}" for one in reasons)))
    lines.append(f"{console_url.rstrip('/')}/incidents/{lead.id}")
    body = "\n".join(lines)
    return {
        "title": harmless(title),
        "body": body if len(body) <= MOST_TEXT_CHARS else body[: MOST_TEXT_CHARS - 1] + "…",
        "kind": "success"
        if message.status == "resolved"
        else "failure"
        if lead.severity == "critical"
        else "warning",
    }


def _line(row: IncidentRow) -> str:
    in_zh, in_en = (harmless(row.annotations.get(name, "")) for name in ("summary_zh", "summary_en"))
    return f"• {in_zh}\n  {in_en}"


def _quote(document: Mapping[str, Any]) -> str:
    text = str(document["text"])
    cut = text if len(text) <= QUOTE_CHARS else text[: QUOTE_CHARS - 1] + "…"
    return harmless(f"“{cut}” — {document['source']}{_carried(document.get('carriers', 1) - 1)}")


def _carried(others: int) -> str:
    if others < 1:
        return ""
    return f"（另有 {others} 篇转载 / carried by {others} {'other' if others == 1 else 'others'}）"


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
