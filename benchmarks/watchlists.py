"""What does watching ten thousand brands cost a record, beside watching none, and beside doing it naively?

    python -m benchmarks.watchlists [--documents 20000] [--rounds 5]

One core carries raw JSON records through what a worker does with them before the model: decode (parse, clean,
check), fold, match. Texts are of the labelled data. Words are cut from other texts of the same data: each watchlist
has three words, each fifth one excluded phrases or a query too. The rivals match the same words in the same folded
texts, on fewer documents: a compiled expression for each watchlist, `in` for each word.

Prints records/s, hits and the time to make the automaton; writes var/bench/watchlists.json.
"""

import argparse
import gzip
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from core.folding import fold
from core.texts import whole_text
from core.watchlists import Watchlist, Watchlists
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits, decode

DATA = Path("../shared/data")
FILES = (
    "sentiment/weibo_emotion.train",
    "sentiment/online_shopping_10.train",
    "sentiment/semeval_tweets.train",
    "sentiment/finnsp.train",
    "topic/thucnews_titles.train",
    "topic/ag_news.train",
)
SIZES = (0, 100, 10_000)
RIVAL_DOCUMENTS = 40
LIMITS = IntakeLimits(50_000, 1_000_000, timedelta(hours=24), ZoneInfo("Asia/Shanghai"))
WORD = re.compile(r"[A-Za-z]{4,12}(?: [A-Za-z]{3,12})?|[\u4e00-\u9fff]{2,5}")


def texts(count: int) -> list[str]:
    """As many from each file, mixed."""
    found = []
    for name in FILES:
        path = DATA / f"{name}.jsonl.gz"
        if not path.is_file():
            raise SystemExit(f"skipped: the labelled data are not here ({path})")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found += [
                json.loads(line)["text"] for _, line in zip(range(2 * count // len(FILES)), lines, strict=False)
            ]
    random.Random(1).shuffle(found)
    return found


def records(said: Sequence[str]) -> list[RawRecord]:
    """As a crawler writes them."""
    at = datetime(2024, 5, 1, tzinfo=UTC)
    return [
        RawRecord(
            "raw",
            0,
            n,
            at,
            None,
            json.dumps(
                {
                    "id": f"s:{n}",
                    "source": "s",
                    "text": text,
                    "published_at": at.isoformat(),
                    "metrics": {"likes": n % 9},
                },
                ensure_ascii=False,
            ).encode(),
        )
        for n, text in enumerate(said)
    ]


def words_of(said: Sequence[str]) -> Iterator[str]:
    """Stretches of texts, each once, in any order: rare ones are as many among them as they are in a language."""
    found = sorted({word for text in said for word in WORD.findall(text)})
    random.Random(2).shuffle(found)
    yield from found


def watchlists(count: int, said: Sequence[str]) -> list[Watchlist]:
    words = words_of(said)
    made = []
    for n in range(count):
        any_of = tuple(next(words) for _ in range(3))
        exclude = (any_of[0] + next(words), next(words)) if n % 5 == 0 else ()
        query = f'"{next(words)}" OR NOT "{next(words)}"' if n % 5 == 1 else ""
        made.append(Watchlist(f"w{n}", any_of, exclude=exclude, query=query))
    return made


def carry(raw: Sequence[RawRecord], watched: Watchlists) -> int:
    """Decode and match; how many mentions of watchlists."""
    hits = 0
    for record in raw:
        document = decode(record, LIMITS)
        text = whole_text(document.title, document.text, document.quoted_text)
        hits += len(watched.find(text, source=document.source, lang=document.lang or ""))
    return hits


def expressions(made: Sequence[Watchlist]) -> Callable[[str], int]:
    """A compiled expression for each watchlist, whole words as ours."""

    def pattern(word: str) -> str:
        folded = fold(word).text
        return rf"(?<![a-z0-9_]){re.escape(folded)}(?![a-z0-9_])" if folded.isascii() else re.escape(folded)

    compiled = [re.compile("|".join(map(pattern, one.any))) for one in made]
    return lambda text: sum(expression.search(text) is not None for expression in compiled)


def loops(made: Sequence[Watchlist]) -> Callable[[str], int]:
    """`in` for each word, without word boundaries."""
    folded = [[fold(word).text for word in one.any] for one in made]
    return lambda text: sum(any(word in text for word in words) for words in folded)


def rival(raw: Sequence[RawRecord], matches: Callable[[str], int]) -> float:
    """Records/s."""
    started = time.process_time()
    for record in raw:
        matches(fold(decode(record, LIMITS).text).text)
    return len(raw) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    said = texts(arguments.documents)
    half = len(said) // 2
    raw, others = records(said[:half]), said[half:]
    made = {size: watchlists(size, others) for size in SIZES}
    watched, build_seconds = {}, {}
    for size, lists in made.items():
        started = time.process_time()
        watched[size] = Watchlists(lists)
        build_seconds[size] = time.process_time() - started
    rates: dict[int, list[float]] = {size: [] for size in SIZES}
    hits: dict[int, int] = {}
    for _ in range(arguments.rounds):
        for size in SIZES:
            started = time.process_time()
            hits[size] = carry(raw, watched[size])
            rates[size].append(len(raw) / (time.process_time() - started))
    few = raw[:RIVAL_DOCUMENTS]
    biggest = made[SIZES[-1]]
    rivals = {"expressions": rival(few, expressions(biggest)), "in": rival(few, loops(biggest))}
    characters = sum(map(len, said[:half])) / half
    print(f"{len(raw)} records of {characters:.0f} characters in the mean, one core, processor time\n")
    print(f"{'watchlists':>12}{'records/s':>12}{'of none':>10}{'mentions/record':>18}{'made in s':>12}")
    for size in SIZES:
        rate, share = median(rates[size]), median(rates[size]) / median(rates[0])
        print(f"{size:12}{rate:12.0f}{share:10.1%}{hits[size] / len(raw):18.2f}{build_seconds[size]:12.2f}")
    for name, rate in rivals.items():
        print(f"{SIZES[-1]:12}{rate:12.1f}  rival: {name}, {len(few)} records")
    out = Path("var/bench/watchlists.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    figures = {
        "records": len(raw),
        "mean_characters": characters,
        "records_per_second": {str(size): found for size, found in rates.items()},
        "mentions_per_record": {str(size): found / len(raw) for size, found in hits.items()},
        "build_seconds": {str(size): seconds for size, seconds in build_seconds.items()},
        "rivals_records_per_second": rivals,
    }
    out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
