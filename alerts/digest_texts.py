"""Digests as text for people: Chinese, English, or side by side. Crawled labels are made harmless."""

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.digests import Digest
from alerts.messages import MOST_TEXT_CHARS, SEVERITY_ZH, harmless, subject
from alerts.subscriptions import Language
from storage.incidents import IncidentRow

SHOWN = 10  # of those that are still open; the console has all
TITLES = {
    "held": ("静默时段汇总", "What quiet hours held back"),
    "daily": ("每日舆情摘要", "Daily digest"),
    "weekly": ("每周舆情摘要", "Weekly digest"),
}
TOP_HEADINGS = {"held": ("已结束", "Over"), "daily": ("最重要", "Top"), "weekly": ("最重要", "Top")}
LEVELS = ("critical", "warning", "info")


def plain_text(digest: Digest, *, console_url: str, language: Language | None) -> dict[str, Any]:
    """Title, body and kind of a text, as `alerts.messages.plain_text` makes them of single incidents."""
    zh, en = TITLES[digest.why]
    name = f" {harmless(digest.subscription)}" if digest.subscription else ""
    span = f"{digest.since:%m-%d %H:%M}–{digest.until:%m-%d %H:%M}"
    lines = [
        _either(
            f"新增 {_counted(digest.began, 'zh')}；结束 {_counted(digest.ended, 'zh')}；"
            f"仍在进行 {len(digest.still_open)} 个",
            f"began: {_counted(digest.began, 'en')}; over: {_counted(digest.ended, 'en')}; "
            f"still open: {len(digest.still_open)}",
            language,
        )
    ]
    lines += _section(TOP_HEADINGS[digest.why], digest.top, console_url, language)
    named = {row.id for row in digest.top}
    rest = [row for row in digest.still_open if row.id not in named]
    lines += _section(("仍在进行", "Still open"), rest[:SHOWN], console_url, language)
    if len(rest) > SHOWN:
        lines.append(_either(f"另有 {len(rest) - SHOWN} 个", f"and {len(rest) - SHOWN} more", language))
    lines.append(f"{console_url.rstrip('/')}/incidents")
    body = "\n".join(lines)
    return {
        "title": f"{_either(f'【{zh}】', en, language)}{name} {span}",
        "body": body if len(body) <= MOST_TEXT_CHARS else body[: MOST_TEXT_CHARS - 1] + "…",
        "kind": "warning" if digest.still_open else "info",
    }


def _section(
    heading: tuple[str, str], rows: Sequence[IncidentRow], console_url: str, language: Language | None
) -> list[str]:
    if not rows:
        return []
    return [f"{_either(*heading, language)}:", *(_line(row, console_url, language) for row in rows)]


def _line(row: IncidentRow, console_url: str, language: Language | None) -> str:
    zh, en = (harmless(text) for text in subject(row.labels))
    level = _either(SEVERITY_ZH[row.severity], row.severity, language)
    over = "" if row.state != "resolved" else _either("（已结束）", " (over)", language)
    what = _either(zh, en, language)
    return f"• [{level}] {what}{over} {console_url.rstrip('/')}/incidents/{row.id}"


def _counted(counts: Mapping[str, int], language: Language) -> str:
    names = SEVERITY_ZH if language == "zh" else {level: level for level in LEVELS}
    parts = [f"{names[level]} {counts[level]}" for level in LEVELS if counts.get(level)]
    return " ".join(parts) if parts else "0"


def _either(zh: str, en: str, language: Language | None) -> str:
    return zh if language == "zh" else en if language == "en" else f"{zh} / {en}"
