"""Raw bytes to a complete document, or the reason why they can never become one."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import msgspec

from core.errors import RecordRejected
from core.pseudonyms import Pseudonyms
from core.records import Document, Metrics
from core.settings import Settings
from core.times import parse_time
from streams.addresses import canonical
from streams.dead_letters import RawRecord
from streams.json_values import parse_json
from streams.language import DEFAULT_LANGUAGES, language_of
from streams.normalise import normalise
from streams.quotes import split

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CHARS: Final = {
    "id": 512,
    "source": 200,
    "lang": 35,
    "url": 4096,
    "title": 2000,
    "author": 500,
    "parent_id": 512,
    "former_id": 512,
}
MAX_COUNT: Final = 2**31 - 1  # PostgreSQL's integer

# PostgreSQL takes no NUL and terminals take no escape codes; line breaks and tabs are text.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class IntakeLimits:
    """What a record may be at most, and how it is read; see `core.settings.WorkerSettings`.

    Attributes:
        languages: see `streams.language.detect_lang`.
        pseudonyms: what `decode` puts in the place of authors; workers have them, and nobody else stores.
    """

    max_text_chars: int
    max_value_bytes: int
    max_future: timedelta
    zone: ZoneInfo
    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    pseudonyms: Pseudonyms | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that workers and every command that reads documents share."""
        worker = settings.worker
        return cls(worker.max_text_chars, worker.max_value_bytes, worker.max_future, settings.zone, worker.languages)


class RawDocument(msgspec.Struct):
    """`Document` as crawlers write it: times in any form, anything but the text may be null or absent."""

    id: str | None = None
    kind: str | None = None
    source: str | None = None
    url: str | None = None
    title: str | None = None
    text: str | None = None
    author: str | None = None
    lang: str | None = None
    published_at: str | int | float | None = None
    created_at: str | int | float | None = None
    crawled_at: str | int | float | None = None
    parent_id: str | None = None
    metrics: dict[str, Any] | None = None
    quoted_text: str | None = None
    former_id: str | None = None


def decode(record: RawRecord, limits: IntakeLimits) -> Document:
    """The complete, cleaned document of a record; the same record gives the same document at any time.

    Raises:
        RecordRejected: the record can never be stored.
    """
    if not record.value:
        raise RecordRejected("empty_value", "the record has no value")
    if len(record.value) > limits.max_value_bytes:
        raise RecordRejected(
            "too_large", f"value has {len(record.value)} bytes, at most {limits.max_value_bytes} are taken"
        )
    if record.recorded_at < EARLIEST:
        raise RecordRejected("bad_record", "the Kafka record has no timestamp, or one that cannot be")
    document = complete(parse(record.value), record, limits)
    if document.author is None or limits.pseudonyms is None:
        return document
    return msgspec.structs.replace(document, author=limits.pseudonyms.of(document.author))


def parse(value: bytes) -> RawDocument:
    """One JSON object as a raw document.

    Raises:
        RecordRejected: see `json_values.parse_json`.
    """
    return parse_json(value, RawDocument)


def complete(wire: RawDocument, record: RawRecord, limits: IntakeLimits) -> Document:
    """Clean every field, fill what is absent, check what is there."""
    headline, body = _clean("title", wire.title), clean_text(wire.text or "")
    stated = body or (headline or "")
    for words in (stated, wire.quoted_text or ""):
        if len(words) > limits.max_text_chars:
            raise RecordRejected(
                "too_large", f"text has {len(words)} characters, at most {limits.max_text_chars} are taken"
            )
    title = normalise(headline or "") or None
    text, quoted = split(normalise(body) or (title or ""))
    if not text:
        raise RecordRejected("empty_text" if wire.text is not None else "bad_record", "text: there is none")
    source, address = _clean("source", wire.source) or "unknown", _clean("url", wire.url)
    url = canonical(address) if address else None
    key, former = _clean("id", wire.id), _clean("former_id", wire.former_id)
    if key is None:
        key = derive_id(source, url, stated)
        former = derive_id(source, address, stated) if url != address else None
    published = wire.published_at if wire.published_at is not None else wire.created_at
    published_at = _time("published_at", published, limits.zone) or record.recorded_at
    if published_at > record.recorded_at + limits.max_future:
        raise RecordRejected("published_in_future", f"published_at: {published_at.isoformat()}")
    if published_at < EARLIEST:
        raise RecordRejected("bad_record", f"published_at: {published_at.isoformat()} is before 1970")
    crawled_at = _time("crawled_at", wire.crawled_at, limits.zone) or record.recorded_at
    if crawled_at > record.recorded_at + limits.max_future:  # it would outrank every later version for good
        raise RecordRejected("bad_record", f"crawled_at: {crawled_at.isoformat()} lies in the future")
    return Document(
        id=key,
        kind=_kind(wire.kind),
        source=source,
        url=url,
        title=title,
        text=text,
        author=_clean("author", wire.author),
        lang=language_of(text, _clean("lang", wire.lang), limits.languages),
        published_at=published_at,
        crawled_at=crawled_at,
        parent_id=_clean("parent_id", wire.parent_id),
        metrics=_metrics(wire.metrics),
        quoted_text=quoted or normalise(wire.quoted_text or "") or None,
        former_id=former,
    )


def clean_text(text: str) -> str:
    """Without control characters, lone surrogates and outer white space."""
    return _CONTROL.sub("", text).strip()


def derive_id(source: str, url: str | None, text: str) -> str:
    """A stable id for a document that came without one: from its address, else from its words as they came.

    Not from the normalised words, so that an id of a document that is stored already does not depend on how well we
    clean. An address is canonical; where that changes it, `former_id` is the id that it had before (see `StoreStep`).
    """
    return f"{source}:{hashlib.sha256((url or text).encode()).hexdigest()[:24]}"


def content_hash(document: Document) -> bytes:
    """SHA-256 over everything that makes a version of a document, its times and id aside."""
    content: tuple[object, ...] = (
        document.kind,
        document.source,
        document.url,
        document.title,
        document.text,
        document.author,
        document.lang,
        document.parent_id,
        document.metrics,
    )
    if document.quoted_text is not None:  # not a null: the hash of what quotes nothing stays what it was
        content += (document.quoted_text,)
    return hashlib.sha256(msgspec.json.encode(content)).digest()


def _clean(field: str, value: str | None) -> str | None:
    cleaned = clean_text(value or "")
    if len(cleaned) > MAX_CHARS[field]:
        raise RecordRejected(
            "bad_record", f"{field}: {len(cleaned)} characters, at most {MAX_CHARS[field]} are taken"
        )
    return cleaned or None


def _time(field: str, value: str | int | float | None, zone: ZoneInfo) -> datetime | None:
    try:
        return None if value is None or value == "" else parse_time(value, zone)
    except ValueError as error:
        raise RecordRejected("bad_record", f"{field}: {error}") from error


def _kind(value: str | None) -> Any:
    kind = value or "post"
    if kind not in ("news", "comment", "post"):
        raise RecordRejected("bad_record", f"kind: {kind[:40]!r} is not news, comment or post")
    return kind


def _metrics(value: dict[str, Any] | None) -> Metrics:
    counts = {}
    for name in Metrics.__struct_fields__:
        count = (value or {}).get(name) or 0
        if isinstance(count, float) and count.is_integer():  # pandas writes 3.0 where a column has gaps
            count = int(count)
        if type(count) is not int or not 0 <= count <= MAX_COUNT:  # bool is an int that SQL does not take
            raise RecordRejected("bad_record", f"metrics.{name}: {count!r:.40} is not a count")
        counts[name] = count
    return Metrics(**counts)
