"""The words for incidents, in Chinese and English, and the event for machines; `alerts.rendering` makes messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from alerts.detection.lifecycle import Episode
from alerts.detection.rules import (
    ALERT_NAME,
    CAMPAIGN_ALERT,
    DEAD_LETTER_ALERT,
    DRIFT_ALERT,
    PLATFORM_ALERT,
    SOURCE_ALERT,
    SOURCE_OUTAGE_ALERT,
    VOLUME_ALERT,
)
from alerts.rendering.escapes import plain
from alerts.rendering.excerpts import excerpt
from core.records import AlertEvent, AlertStatus
from core.taxonomy import TOPIC_NAMES_ZH
from storage.incidents import IncidentRow

TEST_ALERT = "ChannelTest"
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
    PLATFORM_ALERT: (("全平台同时报警", "many series fire at once"), ("全平台报警结束", "platform-wide surge over")),
    CAMPAIGN_ALERT: (("疑似刷屏：大量复制同一文本", "copies of one text surge"), ("刷屏结束", "copies subside")),
    DRIFT_ALERT: (("负面占比缓慢上升", "share of negatives drifts up"), ("占比恢复", "share is back to usual")),
    DEAD_LETTER_ALERT: (("死信过多", "too many dead letters"), ("死信恢复正常", "dead letters back to usual")),
    TEST_ALERT: (("测试消息，不是告警", "a test, not an alert"), ("测试结束", "end of the test")),
}


def harmless(text: str) -> str:
    """One line without any character that a terminal, HTML or a chat service would read as markup or a mention."""
    return plain(excerpt(text, most=len(text)))


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
