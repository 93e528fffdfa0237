"""Digests: what happened in a day, in a week, or while it was quiet, as a story and as figures for machines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts.rendering.contract import Language, RenderOptions
from alerts.rendering.messages import SEVERITY_ZH, subject
from alerts.rendering.story import NAME_CHARS, SUBJECT_CHARS, Story, pick, visible
from alerts.routing.digests import Digest
from storage.incidents import IncidentRow

SHOWN = 10  # of those that are still open; the console has all
TITLES = {
    "held": ("静默时段汇总", "What quiet hours held back"),
    "daily": ("每日舆情摘要", "Daily digest"),
    "weekly": ("每周舆情摘要", "Weekly digest"),
}
TOP_HEADINGS = {"held": ("已结束", "Over"), "daily": ("最重要", "Top"), "weekly": ("最重要", "Top")}
LEVELS = ("critical", "warning", "info")


def digest_story(digest: Digest, options: RenderOptions) -> Story:
    """Tell it in the receiver's language; with `link_only`, nothing but that there is one."""
    language = options.language
    title = " | ".join(pick(language, *TITLES[digest.why]))
    link = f"{options.console_url.rstrip('/')}/incidents"
    if options.link_only:
        return Story(title, "info", (), (), (), link)
    name = f" {visible(digest.subscription, NAME_CHARS)}" if digest.subscription else ""
    span = f"{digest.since:%m-%d %H:%M}–{digest.until:%m-%d %H:%M}"
    return Story(
        f"{title}{name} {span}",
        "warning" if digest.still_open else "info",
        tuple(_points(digest, language)),
        (),
        (),
        link,
    )


def digest_body(digest: Digest) -> dict[str, Any]:
    """Its figures for a webhook; its incidents are the body's alerts."""
    return {
        "kind": digest.why,
        "subscription": digest.subscription,
        "since": digest.since.isoformat(),
        "until": digest.until.isoformat(),
        "began": dict(digest.began),
        "ended": dict(digest.ended),
        "stillOpen": len(digest.still_open),
    }


def _points(digest: Digest, language: Language) -> Iterator[tuple[str, ...]]:
    yield pick(
        language,
        f"新增 {_counted(digest.began, SEVERITY_ZH)}；结束 {_counted(digest.ended, SEVERITY_ZH)}；"
        f"仍在进行 {len(digest.still_open)} 个",
        f"began: {_counted(digest.began)}; over: {_counted(digest.ended)}; still open: {len(digest.still_open)}",
    )
    yield from _section(TOP_HEADINGS[digest.why], digest.top, language)
    named = {row.id for row in digest.top}
    rest = [row for row in digest.still_open if row.id not in named]
    yield from _section(("仍在进行", "Still open"), rest[:SHOWN], language)
    if more := max(0, len(rest) - SHOWN):
        yield pick(language, f"另有 {more} 个", f"and {more} more")


def _section(heading: tuple[str, str], rows: Sequence[IncidentRow], language: Language) -> Iterator[tuple[str, ...]]:
    for row in rows:
        zh, en = (visible(text, SUBJECT_CHARS) for text in subject(row.labels))
        over_zh, over_en = ("（已结束）", " (over)") if row.state == "resolved" else ("", "")
        yield pick(
            language,
            f"{heading[0]} #{row.id} [{SEVERITY_ZH[row.severity]}] {zh}{over_zh}",
            f"{heading[1]} #{row.id} [{row.severity}] {en}{over_en}",
        )


def _counted(counts: Mapping[str, int], names: Mapping[str, str] | None = None) -> str:
    parts = [f"{names[level] if names else level} {counts[level]}" for level in LEVELS if counts.get(level)]
    return " ".join(parts) if parts else "0"
