"""The seeded stream of a run: documents, repeats, revisions, late ones and poison, with what must become of each."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from core.taxonomy import Sentiment
from opinion.demo.phrases import Lang, Phrases

EVENT_START = datetime(2024, 5, 1, tzinfo=UTC)
EVENT_SPAN = timedelta(hours=36)  # the detector learns for the first 12
SOURCES: dict[str, Lang] = {"weiyu": "zh", "yuntie": "zh", "caiwen": "zh", "plaza": "en"}
ORDINARY_MOODS = (0.15, 0.45, 0.40)  # negative, neutral, positive
SURGE_MOODS = (0.90, 0.07, 0.03)
SURGES = 3
SURGE_SPAN = timedelta(minutes=45)
SURGE_SHARE = 80  # a surge adds one document for so many, but not fewer than
SURGE_DOCUMENTS = 80
REPEATED, REVISED, LATE, POISONED = 0.05, 0.03, 0.05, 0.02
CARRIED, JOINED = 0.15, 0.05  # copies of another document's text, and texts that are copies of two
LATEST = timedelta(minutes=25)  # behind the rest of the stream; the detector corrects for an hour
BREAKS_MODEL = "\N{RADIOACTIVE SIGN}breaks-the-model"  # the faulty worker's classifier raises on it

LONG_TEXT = "长" * 100_000
HUGE_TEXT = "x" * 2_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One message for the raw topic. `at` orders the stream; it is event time."""

    at: datetime
    key: bytes
    value: bytes | None


@dataclass
class Expected:
    """What the pipeline must have at the end, whatever happened to it meanwhile.

    Attributes:
        versions: by document id, the texts of its versions from first to last, as they must be stored.
        poison: by key, the digest of the bytes that must be found in the dead-letter topic.
        kinds: by key of poison, what is wrong with it.
        produced: by document id, how many records carry it, repeats included.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    poison: dict[bytes, str] = field(default_factory=dict)
    kinds: dict[bytes, str] = field(default_factory=dict)
    produced: Counter[str] = field(default_factory=Counter)

    @property
    def ce_ids(self) -> set[str]:
        """Every version that must be seen on the classified topic."""
        return {f"{name}:{number}" for name, texts in self.versions.items() for number in range(len(texts))}


@dataclass(frozen=True)
class Stream:
    """The records in the order of their production."""

    records: list[Record]
    expected: Expected


def digest(value: bytes | None) -> str:
    """What is compared of a value; a null value has a name of its own."""
    return "null" if value is None else hashlib.sha256(value).hexdigest()


def make_stream(seed: int, documents: int) -> Stream:
    """`documents` distinct documents and what surrounds them; equal arguments give equal streams."""
    writer = _Writer(seed, documents)
    records = sorted(writer.write(), key=lambda record: record.at)
    return Stream(records, writer.expected)


class _Writer:
    def __init__(self, seed: int, documents: int) -> None:
        self._random = Random(seed)
        self._phrases = Phrases(self._random)
        self._documents = documents
        self._told: dict[Lang, list[str]] = {"zh": [], "en": []}
        self.expected = Expected()

    def write(self) -> Iterator[Record]:
        surges = [self._surge() for _ in range(SURGES)]
        ordinary = self._documents - sum(map(len, surges))
        plain = [EVENT_START + EVENT_SPAN * self._random.random() for _ in range(ordinary)]
        told = [(at, self._random.choice(list(SOURCES)), ORDINARY_MOODS) for at in plain]
        for number, (at, source, moods) in enumerate([*told, *(one for surge in surges for one in surge)]):
            yield from self._document(number, at, source, moods)
        yield from self._poisons()

    def _surge(self) -> list[tuple[datetime, str, tuple[float, ...]]]:
        source = self._random.choice(list(SOURCES))
        start = EVENT_START + timedelta(hours=self._random.uniform(14, 34))
        many = max(SURGE_DOCUMENTS, self._documents // SURGE_SHARE)
        return [(start + SURGE_SPAN * self._random.random(), source, SURGE_MOODS) for _ in range(many)]

    def _document(self, number: int, at: datetime, source: str, moods: tuple[float, ...]) -> Iterator[Record]:
        """The document, and perhaps it again, late, or in newer versions."""
        lang, chance = SOURCES[source], self._random
        fields: dict[str, Any] = {
            "id": f"{source}:{number}",
            "kind": "post",
            "source": source,
            "lang": lang,
            "text": self._say(lang, moods),
            "published_at": _wire(at),
            "crawled_at": _wire(at),
        }
        seen = at + LATEST * chance.random() if chance.random() < LATE else at
        if chance.random() < POISONED:  # control characters are cleaned away, not refused
            fields["text"] = f"\x00\x1b[31m{fields['text']}\x07"
        yield self._version(fields, seen)
        while chance.random() < REVISED:
            seen += timedelta(minutes=chance.uniform(1, 20))
            fields |= {"text": f"{self._say(lang, moods)} ({chance.random():.6f})", "crawled_at": _wire(seen)}
            yield self._version(fields, seen)
        if chance.random() < REPEATED:
            self.expected.produced[fields["id"]] += 1
            yield Record(seen + timedelta(minutes=chance.uniform(0, 30)), fields["id"].encode(), _json(fields))

    def _version(self, fields: dict[str, Any], seen: datetime) -> Record:
        text = "".join(c for c in fields["text"] if c not in "\x00\x1b\x07")
        self.expected.versions.setdefault(fields["id"], []).append(text)
        self.expected.produced[fields["id"]] += 1
        return Record(seen, fields["id"].encode(), _json(fields))

    def _say(self, lang: Lang, moods: tuple[float, ...]) -> str:
        told, chance = self._told[lang], self._random.random()
        if len(told) > 1 and chance < CARRIED:
            return f"转发: {self._random.choice(told)}"
        if len(told) > 1 and chance < CARRIED + JOINED:
            return " / ".join(self._random.sample(told, 2))
        told.append(self._new(lang, moods))
        return told[-1]

    def _new(self, lang: Lang, moods: tuple[float, ...]) -> str:
        names: tuple[Sentiment, ...] = ("negative", "neutral", "positive")
        (mood,) = self._random.choices(names, weights=moods)
        said = self._phrases.say(self._random.choice(self._phrases.brands), lang, mood)
        # Texts whose numbers differ are no copies of each other; made of few phrases, most of these would be.
        return f"{said} {' '.join(str(self._random.randint(1000, 9999)) for _ in range(3))}"

    def _poisons(self) -> Iterator[Record]:
        """At least one of each kind; those of two megabytes are rarer than the rest."""
        common = [kind for kind in POISONS if kind != "huge_value"]
        many = max(len(POISONS), round(self._documents * POISONED))
        kinds = [*POISONS, *(self._random.choice([*common * 3, "huge_value"]) for _ in range(many - len(POISONS)))]
        for number, kind in enumerate(kinds):
            key = f"poison:{number}".encode()
            at = EVENT_START + EVENT_SPAN * self._random.random()
            fields = {"id": key.decode(), "kind": "post", "source": "plaza", "text": f"{kind} {number}"}
            value = POISONS[kind](fields | {"published_at": _wire(at), "crawled_at": _wire(at)})
            self.expected.poison[key], self.expected.kinds[key] = digest(value), kind
            yield Record(at, key, value)


Fields = dict[str, Any]
POISONS: dict[str, Callable[[Fields], bytes | None]] = {
    "bad_json": lambda fields: _json(fields)[:-9],
    "bad_utf8": lambda fields: json.dumps(fields | {"text": "编码错了"}, ensure_ascii=False).encode("gbk"),
    "missing_fields": lambda fields: _json({name: fields[name] for name in ("id", "kind", "source")}),
    "wrong_types": lambda fields: _json(fields | {"text": {"not": "a text"}, "metrics": [1]}),
    "null_value": lambda fields: None,
    "huge_value": lambda fields: _json(fields | {"text": HUGE_TEXT}),
    "long_text": lambda fields: _json(fields | {"text": LONG_TEXT}),
    "far_future": lambda fields: _json(fields | {"published_at": "2999-01-01T00:00:00Z"}),
    "breaks_model": lambda fields: _json(fields | {"text": f"{fields['text']} {BREAKS_MODEL}"}),
}


def _wire(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
