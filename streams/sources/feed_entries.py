"""The bytes of an RSS or Atom feed to raw documents. Nothing is fetched here."""

import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import feedparser
import httpx
import msgspec

from core.records import Kind
from streams.addresses import canonical
from streams.intake import EARLIEST, MAX_COUNT, RawDocument
from streams.sources.charsets import decoded
from streams.sources.feed_dates import feed_time
from streams.sources.fetching import Fetched, parsed
from streams.sources.html_text import lines_of, text_of
from streams.sources.refusals import FetchError

MOST_ENTRIES: Final = 1000  # of one feed; the first ones, which are the newest in nearly all feeds
LONGEST_ID: Final = 300
LONGEST_TITLE: Final = 2000  # as intake takes them; feeds without titles put whole posts there
FUTURE: Final = timedelta(hours=24)  # later ones are typing errors, and would be dead letters
DEFAULT_LANG: Final = "en"  # what feed software declares when nobody has chosen
_ENTITIES: Final = re.compile(r"<!ENTITY[^>]*>", re.IGNORECASE)
_XML: Final = "application/xml; charset=utf-8"  # what we hand over is always UTF-8


@dataclass(frozen=True, slots=True)
class Traits:
    """What the documents of a feed have in common.

    Attributes:
        url: of the feed.
        lang: None: by the feed's own word, or by the text.
    """

    url: str
    source: str
    kind: Kind = "news"
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        key: stands for its id.
        mark: changes when the entry does.
        document: as a crawler would write it; without a time of crawling.
        link: the page it is about.
    """

    key: str
    mark: str
    document: RawDocument
    link: str | None

    def with_text(self, text: str) -> "Entry":
        """The same entry with the article's text."""
        return replace(self, document=msgspec.structs.replace(self.document, text=text))


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """Attributes:
    entries: each id once.
    problem: what is wrong with the XML, if anything; what could be read of it is there.
    """

    entries: list[Entry]
    problem: str | None


def parse_feed(fetched: Fetched, traits: Traits, *, now: datetime, zone: tzinfo) -> ParsedFeed:
    """Entries of a feed, in its order. Takes CPU time: not for an event loop.

    Args:
        zone: of times that name none.

    Raises:
        FetchError: `not_a_feed`.
    """
    text = _ENTITIES.sub("", decoded(fetched.body, fetched.charset))
    try:
        feed = feedparser.parse(
            io.BytesIO(text.encode("utf-8", "replace")),  # bytes or text alone it would take for a file or an address
            response_headers={"content-type": _XML},  # with an address, it would make addresses of bare guids
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # on damaged input it raises whatever its parts do
        raise FetchError("not_a_feed", f"cannot be read: {type(error).__name__}: {error}") from error
    if not feed.get("version") and not feed.entries:
        raise FetchError("not_a_feed", f"neither RSS nor Atom; it begins with {text.strip()[:60]!r}")
    declared = _language(feed.feed.get("language"))
    read = (_entry(entry, fetched.url, traits, declared, now, zone) for entry in feed.entries[:MOST_ENTRIES])
    unique = {entry.key: entry for entry in read if entry}
    problem = str(feed.get("bozo_exception", ""))[:200] if feed.bozo else None
    return ParsedFeed(list(unique.values()), problem)


def canonical_url(url: str | None, base: str) -> str | None:
    """An http or https address without tracking parameters; None for anything else."""
    if not url or not url.strip():
        return None
    try:
        return canonical(str(parsed(url.strip(), base=httpx.URL(base)).copy_with(username=None, password=None)))
    except (FetchError, ValueError):
        return None


def _entry(entry: Any, base: str, traits: Traits, declared: str | None, now: datetime, zone: tzinfo) -> Entry | None:
    title = _text(entry.get("title_detail"))[:LONGEST_TITLE]
    text = max((_text(part) for part in (*entry.get("content", ()), entry.get("summary_detail"))), key=len)
    link = canonical_url(_link(entry), base)
    if not title and not text:
        return None  # a player or a picture alone
    document = RawDocument(
        id=_id(traits, str(entry.get("id") or ""), link, title or text),
        kind=traits.kind,
        source=traits.source,
        url=link,
        title=title or None,
        text=text,
        author=str((entry.get("author_detail") or {}).get("name") or entry.get("author") or "")[:500] or None,
        lang=traits.lang or declared,
        published_at=_published(entry, now, zone),
        metrics=_replies(entry.get("slash_comments")),
    )
    return Entry(_digest([document.id]), _digest(msgspec.structs.astuple(document)), document, link)


def _link(entry: Any) -> str | None:
    """A guid stands in for a link, but only if it is an address."""
    link = str(entry.get("link") or "")
    return None if entry.get("guidislink") and "://" not in link else link


def _text(part: Any) -> str:
    if not part:
        return ""
    value = str(part.get("value") or "")
    return lines_of(value) if part.get("type") == "text/plain" else text_of(value)


def _id(traits: Traits, guid: str, link: str | None, words: str) -> str:
    """`source:guid`, or by link, or by the words.

    A guid that is a bare number means something only within its feed, so the feed's address becomes part of it.
    """
    native = guid.strip() or link or f"words:{_digest([words])}"
    if ":" not in native and len(native) < 16:
        native = f"{_digest([traits.url])[:8]}:{native}"
    if len(native) > LONGEST_ID:
        native = hashlib.sha256(native.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{traits.source}:{native}"


def _published(entry: Any, now: datetime, zone: tzinfo) -> str | None:
    """When it was published, by any field that says so; a time that cannot be is left out."""
    for name in ("published", "created", "updated"):
        at = feed_time(str(dict.get(entry, name) or ""), zone)
        if at and EARLIEST <= at <= now + FUTURE:
            return at.isoformat()
    return None


def _language(declared: object) -> str | None:
    """The main part of `zh-CN`; English is what generators write by themselves, and so says nothing."""
    primary = str(declared or "").replace("_", "-").split("-")[0].lower()
    is_code = primary.isascii() and primary.isalpha() and 2 <= len(primary) <= 3
    return primary if is_code and primary != DEFAULT_LANG else None


def _replies(count: object) -> dict[str, Any] | None:
    text = str(count or "")
    return {"replies": min(int(text[:10]), MAX_COUNT)} if text.isascii() and text.isdigit() else None


def _digest(parts: Iterable[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(list(parts))).hexdigest()[:16]
