"""A day around four invented brands, as raw records: what crawlers would have brought, malformed ones included.

The story's clock ends at 21:40, wherever `end` lies in the reader's day, so the plot is the same at any hour:
day and night, a phone presented at noon (many comments, few of them angry), and at 19:55 a scandal at a milk-tea
chain. Everything follows from the seed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Literal

from core.taxonomy import Sentiment
from opinion.demo.phrases import Lang, Phrases

Fate = Literal["stored", "repeat", "revision", "dead_lettered"]
Mix = tuple[float, float, float]  # of SENTIMENTS: negative, neutral, positive

SPAN = timedelta(hours=26)  # the detector learns for the first 12
ENDS_AT_MINUTE = 21 * 60 + 40  # of the story's day
# Comments per hour of the day, relative: quiet at four, busy at noon and in the evening.
RHYTHM = (4, 2, 1, 1, 1, 1, 3, 6, 9, 10, 10, 11, 13, 11, 9, 9, 9, 10, 11, 13, 15, 15, 12, 8)

ORDINARY_COMMENTS = 335
ORDINARY_MIX: Mix = (0.13, 0.45, 0.42)
LAUNCH_BEFORE_END = timedelta(hours=9, minutes=10)
LAUNCH_COMMENTS = 85
LAUNCH_MIX: Mix = (0.06, 0.36, 0.58)
SCANDAL_BEFORE_END = timedelta(minutes=105)
SCANDAL_COMMENTS = 155
SCANDAL_MIX: Mix = (0.90, 0.07, 0.03)
SHARE_OF_CHINESE = 0.72
REPEATED_RECORDS = 9

NEWS_SITES: dict[Lang, tuple[str, ...]] = {"zh": ("caiwen", "chengbao"), "en": ("northwire",)}
PLATFORMS: dict[Lang, tuple[str, ...]] = {"zh": ("weiyu", "yuntie"), "en": ("plaza",)}


@dataclass(frozen=True)
class Record:
    """One message for the raw topic, with what the author of the scenario knows about it.

    Attributes:
        crawled_at: when a crawler brought it; records are produced in this order.
        fate: how it has to end.
        mood: how a reader would take it; None for malformed records.
    """

    key: bytes | None
    value: bytes
    crawled_at: datetime
    fate: Fate
    mood: Sentiment | None = None


@dataclass(frozen=True)
class Article:
    id: str
    source: str
    brand: str
    lang: Lang
    published_at: datetime


def documents(seed: int, end: datetime) -> list[Record]:
    """About 600 records whose event time ends at `end` (aware), in the order of their arrival."""
    return sorted(_Story(seed, end.astimezone(UTC)).tell(), key=lambda record: record.crawled_at)


def launch_begins_at(end: datetime) -> datetime:
    """When the phone is presented."""
    return end - LAUNCH_BEFORE_END


def scandal_begins_at(end: datetime) -> datetime:
    """When the first article about the scandal appears."""
    return end - SCANDAL_BEFORE_END


class _Story:
    """Writes the records chapter by chapter."""

    def __init__(self, seed: int, end: datetime) -> None:
        self._random = Random(seed)  # noqa: S311  # a story, not a secret
        self._phrases = Phrases(self._random)
        self._end = end
        self._begin = end - SPAN
        self._articles: list[Article] = []
        self._numbers: dict[str, int] = {}

    def tell(self) -> list[Record]:
        records = [*self._ordinary_news()]
        records += self._launch()
        records += self._scandal()
        records += self._ordinary_comments()
        records += self._repeats(records)
        return [*records, *self._malformed()]

    # -- chapters

    def _ordinary_news(self) -> Iterator[Record]:
        """The first article of each brand and language early on, so that there is something to comment on."""
        seen: set[tuple[str, str]] = set()
        for news in self._phrases.news:
            is_first = (news["brand"], news["lang"]) not in seen
            seen.add((news["brand"], news["lang"]))
            latest = timedelta(minutes=90) if is_first else SPAN - timedelta(hours=1)
            lang: Lang = "zh" if news["lang"] == "zh" else "en"
            source = self._random.choice(NEWS_SITES[lang])
            at = self._begin + latest * self._random.random()
            yield self._article(source, news["brand"], lang, news["title"], news["text"], at, "neutral")

    def _launch(self) -> Iterator[Record]:
        """Many comments at once, with an ordinary share of anger: not an alert."""
        start = self._end - LAUNCH_BEFORE_END
        yield from self._announce("launch", "phone", start, "neutral")
        for _ in range(LAUNCH_COMMENTS):
            at = start + timedelta(minutes=3) + timedelta(minutes=110) * self._random.betavariate(1.6, 3.0)
            yield self._comment("phone", at, LAUNCH_MIX, event="launch")

    def _scandal(self) -> Iterator[Record]:
        """The article, the same text on other sites, the anger, and the article again with the apology added."""
        start = self._end - SCANDAL_BEFORE_END
        first, *others = self._announce("scandal", "tea", start, "negative")
        yield from (first, *others)
        fields = json.loads(first.value)
        for minutes, source in ((6, "chengbao"), (9, "weiyu"), (14, "yuntie"), (31, "weiyu")):
            at = start + timedelta(minutes=minutes)
            yield self._article(source, "tea", "zh", fields["title"], fields["text"], at, "negative")
        for _ in range(SCANDAL_COMMENTS):
            at = start + timedelta(minutes=4) + timedelta(minutes=100) * self._random.betavariate(1.5, 2.4)
            yield self._comment("tea", at, SCANDAL_MIX, event="scandal")
        corrected_at = start + timedelta(minutes=64)
        correction = self._phrases.headline("scandal", "zh")["correction"]
        fields |= {"text": fields["text"] + correction, "crawled_at": _wire(corrected_at)}
        yield Record(first.key, _json(fields), corrected_at, "revision", "negative")

    def _ordinary_comments(self) -> Iterator[Record]:
        minutes = int(SPAN.total_seconds() // 60)
        hours = [(ENDS_AT_MINUTE - minutes + minute) // 60 % 24 for minute in range(minutes)]
        weights = list(accumulate(RHYTHM[hour] for hour in hours))
        for minute in self._random.choices(range(minutes), cum_weights=weights, k=ORDINARY_COMMENTS):
            at = self._begin + timedelta(minutes=minute + self._random.random())
            yield self._comment(self._random.choice(self._phrases.brands), at, ORDINARY_MIX)

    def _repeats(self, records: list[Record]) -> Iterator[Record]:
        """A crawler that fetched the same page twice."""
        for record in self._random.sample([r for r in records if r.fate == "stored"], REPEATED_RECORDS):
            again = record.crawled_at + timedelta(minutes=self._random.uniform(1, 40))
            yield Record(record.key, record.value, min(again, self._end), "repeat", record.mood)

    def _malformed(self) -> Iterator[Record]:
        """What real crawlers send on a bad day; each belongs in the dead-letter topic."""
        fields = {"id": "weiyu:bad", "kind": "comment", "source": "weiyu", "text": "编码错了的评论"}
        whole = json.dumps(fields, ensure_ascii=False)
        far = fields | {"id": "plaza:far", "published_at": _wire(self._end + timedelta(days=400))}
        values = (
            whole[: len(whole) // 2].encode(),  # cut off by a full disk
            whole.encode("gbk"),  # not UTF-8
            _json({name: value for name, value in fields.items() if name != "text"}),
            _json(far),
            b"",
        )
        for number, value in enumerate(values, 1):
            at = self._begin + SPAN * number / (len(values) + 1)
            yield Record(f"bad:{number}".encode(), value, at, "dead_lettered")

    # -- sentences

    def _announce(self, event: str, brand: str, start: datetime, mood: Sentiment) -> Iterator[Record]:
        """The event's article in Chinese, and some minutes later in English."""
        languages: tuple[Lang, ...] = ("zh", "en")
        for lang, delay in zip(languages, (0, 12), strict=True):
            words = self._phrases.headline(event, lang)
            at = start + timedelta(minutes=delay)
            yield self._article(NEWS_SITES[lang][0], brand, lang, words["title"], words["text"], at, mood)

    def _article(
        self, source: str, brand: str, lang: Lang, title: str, text: str, at: datetime, mood: Sentiment
    ) -> Record:
        kind = "news" if source in NEWS_SITES[lang] else "post"
        fields = {"id": self._new_id(source), "kind": kind, "source": source, "title": title, "text": text}
        self._articles.append(Article(fields["id"], source, brand, lang, at))
        return self._record(fields, lang, at, mood)

    def _comment(self, brand: str, at: datetime, mix: Mix, event: str | None = None) -> Record:
        """Under an article that is already out, or a post of its own."""
        lang: Lang = "zh" if self._random.random() < SHARE_OF_CHINESE else "en"
        moods: tuple[Sentiment, ...] = ("negative", "neutral", "positive")
        (mood,) = self._random.choices(moods, weights=mix)
        fields = {"text": self._phrases.say(brand, lang, mood, event), "author": self._phrases.author(lang)}
        minute_ago = at - timedelta(minutes=1)
        out = [a for a in self._articles if a.brand == brand and a.lang == lang and a.published_at < minute_ago]
        if out and self._random.random() < 0.6:
            article = max(out, key=lambda a: a.published_at) if event else self._random.choice(out)
            fields |= {"kind": "comment", "source": article.source, "parent_id": article.id}
        else:
            fields |= {"kind": "post", "source": self._random.choice(PLATFORMS[lang])}
        fields["id"] = self._new_id(fields["source"])
        return self._record(fields, lang, at, mood)

    def _record(self, fields: dict[str, Any], lang: Lang, at: datetime, mood: Sentiment) -> Record:
        crawled_at = at + timedelta(seconds=min(100, self._random.lognormvariate(3.0, 0.7)))
        likes = int(self._random.expovariate(1 / 9))
        fields |= {
            "lang": lang,
            "url": f"https://{fields['source']}.example/{fields['id'].split(':')[1]}",
            "published_at": _wire(at),
            "crawled_at": _wire(crawled_at),
            "metrics": {"likes": likes, "reposts": likes // 5, "replies": likes // 4},
        }
        return Record(fields["id"].encode(), _json(fields), crawled_at, "stored", mood)

    def _new_id(self, source: str) -> str:
        self._numbers[source] = self._numbers.get(source, 10_000) + self._random.randint(1, 40)
        return f"{source}:{self._numbers[source]}"


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
