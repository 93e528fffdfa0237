"""A day of documents from many sources, and what has to become of them, worked out without the product's code."""

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, cycle
from typing import Any

WATCHLISTS = """\
watchlists:
  - name: Apple
    any: [苹果, iPhone]
    exclude: [苹果汁, 红富士]
  - name: Acme
    any: [Acme, 埃克美]
    exclude: [Acme Street]
"""
PHRASES = (
    "", "苹果发布会", "蘋果手機", "用iPhone拍的", "苹果汁好喝", "苹果请客喝苹果汁", "苹果和红富士", "iPhones",
    "Acme is hiring", "ＡＣＭＥ 涨了", "埃克美的股价", "at Acme Street 12", "Acmeology", "Acme at Acme Street",
)  # fmt: skip
"""What is slipped into texts that otherwise mean nothing."""
WIRE = (
    "新华社北京电，记者从国家统计局获悉，前三季度全国居民人均可支配收入同比名义增长百分之五点一，扣除价格因素实际增长百分之四点五。"
    "其中城镇居民收入增速继续慢于农村居民，城乡居民收入差距进一步缩小。埃克美公司首席经济学家认为，随着促消费政策逐步落地，"
    "四季度居民消费有望延续恢复态势，但外部环境依然复杂严峻，企业订单恢复的基础仍需巩固，稳就业的压力不容忽视。"
)
EDITED = 0.03
"""The share of a wire story's characters that each outlet changes."""
MALFORMED = (
    b"\xff\xfe\x00 neither text nor JSON",
    b'{"id": "cut:off", "text": "the rest is miss',
    b"[1, 2, 3]",
    b'{"id": "no:text", "text": "   "}',
    b'{"id": "odd:kind", "text": "x", "kind": "rumour"}',
    b'{"id": "odd:likes", "text": "x", "metrics": {"likes": -1}}',
    b'{"id": "odd:time", "text": "x", "published_at": "gestern"}',
    b'{"id": "next:year", "text": "x", "published_at": "2999-01-01T00:00:00Z"}',
    b"",
)
Crawled = dict[str, Any]
"""A document as a crawler writes it."""


def mentions_in(said: str) -> dict[str, int]:
    """How often each watchlist of `WATCHLISTS` is mentioned: plain string work, phrase by phrase."""
    folded = unicodedata.normalize("NFKC", said).casefold().replace("蘋", "苹")
    apple = 0 if "红富士" in folded else len(_found(folded.replace("苹果汁", "\n"), "苹果", "iphone"))
    acme = len(_found(folded.replace("acme street", "\n"), "acme", "埃克美"))
    return {name: times for name, times in (("Apple", apple), ("Acme", acme)) if times}


def _found(text: str, *words: str) -> list[str]:
    return re.findall("|".join(rf"(?<![a-z]){word}(?![a-z])" if word.isascii() else word for word in words), text)


@dataclass
class Day:
    """Hands out documents and remembers what each id has to say in the end.

    Attributes:
        said: by id, title and text of the newest version.
        sources: by id.
        likes: by id, where it is not 0.
        revisions: how many a document has had, by id.
        carriers: ids of those that carry the wire story.
    """

    start: datetime
    said: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    likes: dict[str, int] = field(default_factory=dict)
    revisions: Counter[str] = field(default_factory=Counter)
    carriers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(20_240_501)
        self._numbers = count(1)
        self._phrases: Iterator[str] = cycle(PHRASES)

    def text(self) -> str:
        """Unlike any other, with the next phrase in it."""
        return f"{self._characters()}，{next(self._phrases)}。{self._characters()}"

    def document(self, source: str, text: str | None = None, **fields: Any) -> Crawled:
        """A new one, a minute after the last."""
        number = next(self._numbers)
        at = self.start + timedelta(minutes=number)
        made = {
            "id": f"{source}:{number}",
            "source": source,
            "text": self.text() if text is None else text,
            "published_at": at.isoformat(),
            "crawled_at": (at + timedelta(minutes=1)).isoformat(),
        } | fields
        self.note(made)
        return made

    def edition(self) -> str:
        """The wire story, edited by somebody."""
        places = self._chance.sample(range(len(WIRE)), round(EDITED * len(WIRE)))
        return "".join(self._characters(1) if place in places else one for place, one in enumerate(WIRE))

    def wire(self, source: str, frame: str = "{}", **fields: Any) -> Crawled:
        """An edition as one outlet prints it, or within something else."""
        made = self.document(source, frame.format(self.edition()), **fields)
        self.carriers.add(made["id"])
        return made

    def revised(self, before: Crawled, **changes: Any) -> Crawled:
        """A later crawl of a document, which has changed."""
        crawled_at = datetime.fromisoformat(before["crawled_at"]) + timedelta(hours=1)
        made = before | {"crawled_at": crawled_at.isoformat()} | changes
        self.note(made)
        self.revisions[made["id"]] += 1
        return made

    def note(self, made: Crawled) -> None:
        """This is what its id says from now on."""
        title, text = made.get("title"), made["text"]
        self.said[made["id"]] = f"{title}\n{text}" if title and title != text else text
        self.sources[made["id"]] = made["source"]
        self.likes[made["id"]] = made.get("metrics", {}).get("likes", 0)

    def mentions(self) -> dict[tuple[str, str], int]:
        """By watchlist and id, how often it is mentioned."""
        return {(name, key): times for key, said in self.said.items() for name, times in mentions_in(said).items()}

    def _characters(self, number: int = 16) -> str:
        return "".join(chr(self._chance.randrange(0x4E00, 0x9F00)) for _ in range(number))


def as_record(made: Crawled) -> tuple[bytes, bytes]:
    """Key and value on the raw topic."""
    return str(made["id"]).encode(), json.dumps(made, ensure_ascii=False).encode()
