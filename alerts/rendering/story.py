"""What a message says to people, before any markup: headline, figures, quotes, a link. Shortened line by line."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from alerts.detection.rules import ALERT_NAME
from alerts.rendering.contract import Evidence, Language, RenderOptions
from alerts.rendering.excerpts import excerpt
from alerts.rendering.messages import SEVERITY_ZH, TEST_ALERT, TITLES, subject
from alerts.routing.grouping import Message, importance
from core.taxonomy import TOPIC_NAMES_ZH
from storage.incidents import IncidentRow

Tone = Literal["critical", "warning", "info", "acknowledged", "resolved"]

SUBJECT_CHARS = 60
POINT_CHARS = 240
QUOTE_CHARS = 120
NAME_CHARS = 40
MOST_POINTS = 20
MOST_DRIVERS = 3  # of one dimension
TAKEN = ("已有人处理", "taken care of")
QUOTING = "cluster"
"""Is named by crawled words: they stand on a line of their own, whole enough to be found when they are erased."""
DIMENSIONS = {
    "cluster": ("转载同一内容", "copies of"),
    "source": ("来源", "source"),
    "topic": ("话题", "topic"),
    "lang": ("语言", "language"),
    "kind": ("类型", "kind"),
    "watchlist": ("关注", "watchlist"),
    "term": ("用词", "word"),
}


@dataclass(frozen=True, slots=True)
class Story:
    """All texts are one visible line each and not escaped for any markup.

    Attributes:
        points: one per incident, in one or two languages, the most important first.
        drivers: since when, what the surge comes from, and without what it would not have fired.
        quotes: crawled texts.
    """

    title: str
    tone: Tone
    points: tuple[tuple[str, ...], ...]
    drivers: tuple[str, ...]
    quotes: tuple[str, ...]
    link: str

    def shorter(self) -> "Story | None":
        """Without its least important line; None: only headline and link are left."""
        for name in ("quotes", "drivers", "points"):
            if lines := getattr(self, name):
                return replace(self, **{name: lines[:-1]})
        return None

    def mapped(self, escape: Callable[[str], str]) -> "Story":
        """With every text but the link escaped."""
        return replace(
            self,
            title=escape(self.title),
            points=tuple(tuple(map(escape, lines)) for lines in self.points),
            drivers=tuple(map(escape, self.drivers)),
            quotes=tuple(map(escape, self.quotes)),
        )


def incident_story(message: Message, evidence: Evidence, options: RenderOptions) -> Story:
    """Tell it in the receiver's language; with `link_only`, nothing but what kind of thing happened and where to
    look."""
    lead = message.members[0]
    tone: Tone = "resolved" if message.status == "resolved" else lead.severity
    if str(message.status) == "acknowledged":
        tone = "acknowledged"
    link = options.link_for_people(lead.id)
    if options.link_only:
        return Story(_title(lead, tone, options.language, with_subject=False), tone, (), (), (), link)
    members = sorted(message.members, key=importance, reverse=True)
    points = [_point(row, options.language) for row in members[:MOST_POINTS]]
    if more := len(members) - MOST_POINTS:
        points += [pick(options.language, f"另有 {more} 个", f"and {more} more")] if more > 0 else []
    body = evidence.get(lead.id, {}) if message.status == "firing" else {}
    return Story(
        title=_title(lead, tone, options.language, with_subject=True),
        tone=tone,
        points=tuple(points),
        drivers=tuple(itertools.chain(_since(body, options), _drivers(body, options.language))),
        quotes=tuple(_quote(document, options.language) for document in body.get("documents", [])),
        link=link,
    )


def fit(
    story: Story, build: Callable[[Story], dict[str, Any]], fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The payload of as much of the story as the target takes; whole lines are left out, none is cut."""
    while not fits(payload := build(story)):
        shorter = story.shorter()
        if shorter is None:
            return payload
        story = shorter
    return payload


def visible(text: str, most: int) -> str:
    """One line without control and direction characters or personal details, and no address that a client would
    make a link of."""
    return excerpt(text.replace("://", "：//"), most)


def pick(language: Language, zh: str, en: str) -> tuple[str, ...]:
    """What a receiver reads of two languages."""
    return {"zh": (zh,), "en": (en,), "both": (zh, en)}[language]


def _title(lead: IncidentRow, tone: Tone, language: Language, *, with_subject: bool) -> str:
    firing, over = TITLES.get(lead.labels.get("alertname", ""), TITLES[ALERT_NAME])
    if tone == "resolved":
        (what_zh, what_en), (mark_zh, mark_en) = over, ("已恢复", "resolved")
    elif tone == "acknowledged":
        (what_zh, what_en), (mark_zh, mark_en) = firing, TAKEN
    else:
        (what_zh, what_en), (mark_zh, mark_en) = firing, (SEVERITY_ZH[lead.severity], lead.severity)
    zh, en = f"【{mark_zh}】{what_zh}", f"({mark_en}) {what_en}"
    if lead.labels.get("alertname") != TEST_ALERT:
        of_zh, of_en = (visible(one, SUBJECT_CHARS) for one in subject(lead.labels))
        zh += f"：{of_zh}" if with_subject else f" #{lead.id}"
        en += f": {of_en}" if with_subject else f" #{lead.id}"
    return " | ".join(pick(language, zh, en))


def _point(row: IncidentRow, language: Language) -> tuple[str, ...]:
    zh, en = (visible(row.annotations.get(name, ""), POINT_CHARS) for name in ("summary_zh", "summary_en"))
    return tuple(line for line in pick(language, zh, en) if line) or (visible(row.rule, POINT_CHARS),)


def _quote(document: Mapping[str, Any], language: Language) -> str:
    text, source = visible(str(document["text"]), QUOTE_CHARS), visible(str(document["source"]), NAME_CHARS)
    others = document.get("carriers", 1) - 1
    if others < 1:
        return f"“{text}” — {source}"
    en = f"carried by {others} {'other' if others == 1 else 'others'}"
    return f"“{text}” — {source}（{' / '.join(pick(language, f'另有 {others} 篇转载', en))}）"


def _since(body: Mapping[str, Any], options: RenderOptions) -> Iterator[str]:
    if since := body.get("since"):
        at = datetime.fromisoformat(str(since)).astimezone(options.zone)
        told = f"{at:%m-%d %H:%M} ({options.zone})"
        yield " / ".join(pick(options.language, f"始于 {told}", f"since {told}"))


def _drivers(body: Mapping[str, Any], language: Language) -> Iterator[str]:
    """What stands out, by dimension, and what was decisive; and the reasons of dead letters."""
    drivers = body.get("drivers")
    for dimension, groups in drivers.items() if isinstance(drivers, Mapping) else ():
        named = [one for one in groups if isinstance(one, Mapping) and {"name", "excess"} <= one.keys()]
        told = [
            f"{_name(dimension, one['name'], language)} {round(one['excess'], 1):+g}" for one in named[:MOST_DRIVERS]
        ]
        if dimension != QUOTING and told:
            told = [" · ".join(told)]
        yield from (f"{_dimension(dimension, language)}: {one}" for one in told)
    decisive = [one for one in body.get("counterfactual") or () if not one.get("would_fire", True)]
    for one in decisive[:1]:
        of = f"{_dimension(one['dimension'], language)} {_name(one['dimension'], one['name'], language)}"
        yield " / ".join(pick(language, f"若没有「{of}」就不会告警", f"it would not have fired without {of}"))
    if (reasons := body.get("reasons")) and isinstance(reasons, Sequence):
        yield " · ".join(f"{visible(str(one['name']), NAME_CHARS)} {one['count']}" for one in reasons[:10])


def _dimension(dimension: str, language: Language) -> str:
    return " ".join(dict.fromkeys(pick(language, *DIMENSIONS.get(dimension, (dimension, dimension)))))


def _name(dimension: str, name: object, language: Language) -> str:
    told = str(name)
    if dimension == QUOTING:
        return visible(told, QUOTE_CHARS)
    if dimension == "topic":
        told = " ".join(dict.fromkeys(pick(language, TOPIC_NAMES_ZH.get(told, told), told)))
    return visible(told, NAME_CHARS)


def lines_of(story: Story) -> Iterator[str]:
    """The figures and what they come from, one line each; a second language is indented under the first."""
    for first, *others in story.points:
        yield f"• {first}"
        yield from (f"  {other}" for other in others)
    yield from itertools.chain(story.drivers)
