"""Raw records as a hostile world writes them: valid documents in Chinese and English, bent and broken from a seed."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from streams.dead_letters import NO_TIME, RawRecord
from streams.intake import IntakeLimits
from tests.support.records import START

LIMITS = IntakeLimits(50_000, 1_000_000, timedelta(hours=24), ZoneInfo("Asia/Shanghai"))
"""What a worker runs with by default, so that the oversized poisons are oversized."""

TEXTS = (
    "油价今天又涨了，加满一箱要多花二十块。",
    "This bank is bad: fees up again, nobody answers the phone.",
    "新茶饮\u3000排队两小时😡😡\u200b差评！",
    "मेट्रो देर से · العربية \u202eabc\u202c · ไทย · 한국어 · とても",
    "a\tb\nc\r\nd \u2028 \ufeff \ufffe \U0010ffff e\u0301",
    "'; DROP TABLE document; -- <script>alert(1)</script> {{7*7}} %s \\x00 \\",
)
TIMES = ("2024-05-01T12:00:00Z", "2024-05-01 20:00", "2024-05-01", 1714564800, 1714564800.5, "20240501T120000+0800")
DOCUMENT_FIELDS = (
    "id", "kind", "source", "url", "title", "text", "author", "lang", "published_at", "created_at", "crawled_at",
    "parent_id", "metrics",
)  # fmt: skip
HOSTILE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 7, 1.5, -0.0, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, float("nan"),
    float("inf"), "", " ", "\x00", "\x1b[31m", "\ud800", "a\udfffb", "\U0001f600" * 600, "字" * 2100, "x" * 100_000,
    "advert", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2999-01-01", "1969-12-31", "+10000-01-01",
    "2024-02-30", "2024-W18-3", "12:00", "1714564800", [], [[]], ["x"], {}, {"text": "x"}, {"likes": True},
    {"likes": -1}, {"likes": 2**31}, {"likes": 1e400}, {"likes": 3.0}, {"likes": "9" * 5000}, {"replies": None},
    {"reposts": [1]}, {"\ud800": 1}, 253402300800, -62135596801, 1e18, 1714564800000,
)  # fmt: skip
TOKENS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\\ud800", b"\\u0000", b"\\", b'"', b"{",
    b"[", b"]", b"}", b",", b":", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 5000, b"null", b"true", b"/*x*/",
    b'"text":"again",', b'"id":7,', b"\xef\xbb\xbf", b"\r\n", b"\x1b]0;owned\x07",
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "gb18030", "latin-1", "utf-7")


class Mutator:
    """An endless stream of raw records of one partition; equal seeds give equal records."""

    def __init__(self, seed: int, *, topic: str = "raw") -> None:
        self._random = random.Random(seed)
        self._topic = topic
        self._earlier: list[bytes] = [b"{}"]

    def records(self, count: int) -> Iterator[RawRecord]:
        """The records of the offsets from 0 on."""
        for offset in range(count):
            value = self._value()
            if value and len(value) < 5000:
                self._earlier = [value, *self._earlier[:30]]
            key = self._random.choice((None, b"", b"k", b"\xff\x00", "键".encode()))
            headers = self._random.choice(((), (("own", b"\xff"),), (("own", b"1"), ("own", None))))
            recorded_at = NO_TIME if self._random.random() < 0.001 else START + timedelta(milliseconds=10 * offset)
            yield RawRecord(self._topic, 0, offset, recorded_at, key, value, headers)

    def _value(self) -> bytes | None:
        chance = self._random.random()
        if chance < 0.0005:
            return self._random.choice(_HUGE)()
        if chance < 0.02:
            return self._random.choice(_BROKEN)(self._random.choice((50, 900, 5000, 100_000)))
        value = self._document()
        return value if chance < 0.4 else self._bent(value)

    def _document(self) -> bytes:
        """JSON of a document; ids come from a small set, so that repeats and revisions occur."""
        pick, chance = self._random.choice, self._random.random
        document: dict[str, Any] = {
            "id": f"forum:{self._random.randrange(20_000)}",
            "text": pick(TEXTS) + str(self._random.randrange(3)),
            "published_at": pick(TIMES),
            "source": pick(("forum", "微博", "news.example")),
        }
        if chance() < 0.5:
            document |= {"title": pick(TEXTS), "lang": "zh", "metrics": {"likes": self._random.randrange(100)}}
        while chance() < 0.3:
            document[pick(DOCUMENT_FIELDS)] = pick(HOSTILE_VALUES)
        if chance() < 0.05:
            document.pop(pick(tuple(document)))
        if chance() < 0.05:
            document[pick(("domain", "\ud800", "__proto__"))] = pick(HOSTILE_VALUES)
        text = json.dumps(document, ensure_ascii=chance() < 0.5)
        if chance() < 0.03:
            return text.encode(pick(ENCODINGS), "replace")
        return text.encode("utf-8", "surrogatepass")

    def _bent(self, value: bytes) -> bytes:
        """One to four changes of the bytes: flips, cuts, insertions, repetitions, splices with an earlier record."""
        for _ in range(self._random.randint(1, 4)):
            at, to = sorted(self._random.randrange(len(value) + 1) for _ in range(2))
            change = self._random.randrange(6)
            if change == 0 and value:
                at = min(at, len(value) - 1)
                value = value[:at] + bytes([value[at] ^ 1 << self._random.randrange(8)]) + value[at + 1 :]
            elif change == 1:
                value = value[:to]
            elif change == 2:
                value = value[:at] + self._random.choice(TOKENS) + value[at:]
            elif change == 3:
                value = value[:at] + value[at:to] * 3 + value[to:]
            elif change == 4:
                value = value[:at] + value[to:]
            else:
                value = value[:at] + self._random.choice(self._earlier)[at:]
        return value


_BROKEN: tuple[Callable[[int], bytes | None], ...] = (
    lambda n: None,
    lambda n: b"",
    lambda n: b"{" + b" " * n,
    lambda n: b"[" * n,
    lambda n: b'{"a":' * n + b"1" + b"}" * n,
    lambda n: b'{"text":"deep","a":' + b"[" * n + b"]" * n + b"}",
    lambda n: b'{"text":"deep","metrics":{"likes":' + b"[" * n + b"]" * n + b"}}",
    lambda n: b'{"text":"deep","x":NaN,"a":' + b'{"b":' * n + b"1" + b"}" * n + b"}",
    lambda n: b'{"text":"long number","published_at":' + b"9" * n + b"}",
    lambda n: b'{"text":"long number","x":NaN,"metrics":{"likes":-' + b"9" * n + b"}}",
    lambda n: b'{"text":"a","text":"b","text":' + b"1" * n + b"}",
    lambda n: b"\xff\xfe" + b"\x00" * n,
    lambda n: b"\x00" * n,
    lambda n: json.dumps({"text": "字" * n}).encode(),
)
_HUGE: tuple[Callable[[], bytes], ...] = (
    lambda: b'{"text":"' + b"x" * 2_000_000 + b'"}',
    lambda: json.dumps({"text": "长" * 100_000}, ensure_ascii=False).encode(),
    lambda: json.dumps({"text": "\\" * 49_000, "title": '"' * 1900}).encode(),
)
