"""How well are copies told from strangers, how fast, and what does it cost the write path?

    python -m benchmarks.copies [--texts 400] [--seed 1] [--skip-sql]

Quality: so many texts of each of eight files of ../shared/data, with copies of each in which 3, 10 or 20 % of the
characters were replaced, left out or put in; with a head and a foot line; with other punctuation; and cut in half.
Three times as many other texts of the same files are strangers. Hard strangers: stock notices and market reports
made by templates that differ in company and figures. Texts of a file that are copies of each other to begin with
(the same after folding, or joined by the exact Jaccard similarity of their 2-character shingles reaching 0.5) count
as one. Beside ours: SimHash of 64 bits at its best distance of 3, and the hash of the folded text. Pairs: of all
pairs that are copies, and of all pairs said to be. Copies: the share of each kind in one cluster with its original.
Real data: what is found in whole files, where headlines of different companies are strangers.

Speed: texts a second of one core, signing and clustering, on 100,000 rows. Write path: `storage.documents.store`
with and without copies, in turns, on the same embedded PostgreSQL; fresh texts, and half of them copies.

Writes var/bench/copies.json.
"""

import argparse
import gzip
import json
import random
import re
import resource
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from benchmarks.rivals import simhash
from benchmarks.store import START, make_rows, rows_per_second
from core.copies import FILE_BANDS, STREAM_BANDS, sign
from core.copy_clusters import DisjointSets, components
from storage import documents, migrate
from storage.documents import DocumentRow
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.partitions import Partitions

DATA = Path("../shared/data")
FILES = (
    "stream/weibo_jiangping_2024",
    "sentiment/finnsp.train",
    "sentiment/bdci2018_car.train",
    "sentiment/hotel_reviews.train",
    "topic/thucnews_titles.test",
    "stream/fin_news_xueqiu",
    "topic/ag_news.test",
    "stream/gop_debate_2015",
)
LEAST_CHARS = 12
HEADS = ("【财经快讯】", "新华社北京5月1日电 ", "转发微博 //@路人甲:", "BREAKING: ")
FEET = ("(责任编辑:王小明)", " 来源:证券时报网", " #热点# https://t.cn/A6x2", " Source: Reuters")
NOTICE = "{}公告:股东{}计划自{}月{}日起{}个月内减持公司股份不超过{}万股,占公司总股本的{}%,减持价格视市场价格确定。"
REPORT = "{}网贷平台{}月{}日数据报告:成交额为{}万元,相比上一个工作日增长{}%,平均期限{}个月,综合利率{}%,满标{}个。"
ROUNDS = 5


def load(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def folded(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def edited(text: str, share: float, rng: random.Random, letters: str) -> str:
    """Exactly so many characters replaced, left out or put in, in equal parts."""
    places = set(rng.sample(range(len(text)), max(1, round(len(text) * share))))
    out = []
    for n, character in enumerate(text):
        kind = rng.randrange(3) if n in places else 3
        out.append({0: rng.choice(letters), 1: "", 2: character + rng.choice(letters)}.get(kind, character))
    return "".join(out)


def kinds(text: str, rng: random.Random, letters: str) -> Iterator[tuple[str, str]]:
    for share in (3, 10, 20):
        yield f"{share} %", edited(text, share / 100, rng, letters)
    yield "framed", f"{rng.choice(HEADS)}{text}{rng.choice(FEET)}"
    yield "punctuation", re.sub(r"[,，。.、!！?？ ]", lambda _: rng.choice(["，", " ", "!!", "…"]), text)
    yield "half", text[: max(LEAST_CHARS, len(text) // 2)]


def hard_strangers(count: int, rng: random.Random) -> Iterator[str]:
    companies = [re.split("[:：]", row["text"])[0] for row in load("stream/fin_news_xueqiu") if "：" in row["text"]]
    names = sorted({one for one in companies if 3 <= len(one) <= 6})
    for n in range(count):
        company, holder = rng.sample(names, 2)
        days = (rng.randrange(1, 13), rng.randrange(1, 29))
        amounts = [round(rng.lognormvariate(4, 1), 2) for _ in range(4)]
        if n % 2:
            yield NOTICE.format(company, holder, *days, rng.choice([3, 6, 12]), round(amounts[0]), amounts[1])
        else:
            yield REPORT.format(company, *days, *amounts, rng.randrange(500))


class GeneratedSet:
    """Texts, which original each comes from, and how."""

    def __init__(self, name: str, originals: int, seed: int) -> None:
        rng = random.Random(f"{seed}-{name}")
        if name == "templates":
            pool = list(hard_strangers(4 * originals, rng))
        else:
            pool = [
                one for one in dict.fromkeys(row["text"] for row in load(name)) if len(folded(one)) >= LEAST_CHARS
            ]
            pool = rng.sample(pool, min(len(pool), 4 * originals))
        letters = "".join(one for one in "".join(pool) if one.isalnum())
        self.texts, self.origins, self.kinds = list(pool), list(range(len(pool))), ["original"] * len(pool)
        for n, text in enumerate(pool[:originals]):
            for kind, copy in kinds(text, rng, letters):
                self.texts.append(copy)
                self.origins.append(n)
                self.kinds.append(kind)
        merged = DisjointSets(len(pool)) if name == "templates" else alike(pool)
        self.story = [merged.find(n) for n in self.origins]

    def score(self, parts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Pairs and copies of one method."""
        place = {n: nth for nth, part in enumerate(parts) for n in part}
        said = sum(len(part) * (len(part) - 1) // 2 for part in parts)
        true = sum(c * (c - 1) // 2 for c in Counter(self.story).values())
        both = sum(c * (c - 1) // 2 for part in parts for c in Counter(self.story[n] for n in part).values())
        found: defaultdict[str, list[bool]] = defaultdict(list)
        for n, kind in enumerate(self.kinds):
            if kind != "original":
                found[kind].append(place[n] == place[self.origins[n]])
        pure = [len({self.story[n] for n in part}) == 1 for part in parts if len(part) > 1]
        return {
            "pair_precision": both / said if said else 1.0,
            "pair_recall": both / true,
            "pure_clusters": sum(pure) / len(pure) if pure else 1.0,
            **{kind: sum(hits) / len(hits) for kind, hits in found.items()},
        }


def alike(texts: Sequence[str]) -> DisjointSets:
    """Which originals are copies of each other to begin with, by exact Jaccard similarity."""
    joined, index = DisjointSets(len(texts)), defaultdict(list)
    sets = [{one[n : n + 2] for n in range(len(one) - 1)} for one in map(folded, texts)]
    spaced = [sum(c < "\u2e80" for c in one) > len(one) / 2 for one in texts]
    sets = [
        {one[n : n + 3] for n in range(len(one) - 2)} if is_spaced else pairs
        for one, is_spaced, pairs in zip(map(folded, texts), spaced, sets, strict=True)
    ]
    for n, shingles in enumerate(sets):
        shared = Counter(m for one in shingles for m in index[one])
        for m, common in shared.items():
            if common >= 0.5 * (len(shingles) + len(sets[m]) - common):
                joined.join(n, m)
        for one in shingles:
            index[one].append(n)
    return joined


def exact(texts: Sequence[str]) -> list[list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for n, text in enumerate(texts):
        found[folded(text)].append(n)
    return list(found.values())


METHODS: dict[str, Callable[[Sequence[str]], list[list[int]]]] = {
    "ours, in a file": lambda texts: components(sign(texts), FILE_BANDS),
    "ours, in the stream": lambda texts: components(sign(texts), STREAM_BANDS),
    "SimHash, 3 bits": lambda texts: simhash.components(simhash.simhashes(texts), 3),
    "SimHash, 10 bits": lambda texts: simhash.components(simhash.simhashes(texts), 10),
    "exact hash": exact,
}


def quality(originals: int, seed: int) -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    columns = ("precision", "recall", "pure", "3 %", "10 %", "20 %", "framed", "punct.", "half", "texts/s")
    print(f"{'':52}" + "".join(f"{column:>10}" for column in columns))
    for name in (*FILES, "templates"):
        made = GeneratedSet(name, originals, seed)
        results[name] = {}
        for method, cluster in METHODS.items():
            started = time.process_time()
            parts = cluster(made.texts)
            seconds = time.process_time() - started
            results[name][method] = made.score(parts) | {"texts_per_second": len(made.texts) / seconds}
            print(
                f"{name:30}{method:22}"
                + "".join(f"{v:>10.3f}" if v <= 1 else f"{v:>10.0f}" for v in results[name][method].values()),
                flush=True,
            )
    return results


def real_files() -> dict[str, Any]:
    """What is found in whole files; of headlines, how many are in one cluster with another company's."""
    found = {}
    for name in (
        "stream/weibo_jiangping_2024",
        "stream/gop_debate_2015",
        "stream/fin_news_xueqiu",
        "topic/thucnews_titles.test",
    ):
        rows = load(name)
        parts = [part for part in components(sign([row["text"] for row in rows]), FILE_BANDS) if len(part) > 1]
        figures = {
            "rows": len(rows),
            "clusters": len(parts),
            "carriers": sum(map(len, parts)),
            "largest": max(map(len, parts), default=0),
            "exact_carriers": sum(len(part) for part in exact([row["text"] for row in rows]) if len(part) > 1),
        }
        if "ticker" in rows[0]:
            mixed = [part for part in parts if len({rows[n]["ticker"] for n in part}) > 1]
            figures |= {"mixed_clusters": len(mixed), "mixed_rows": sum(map(len, mixed))}
        found[name] = figures
        print(name, figures, flush=True)
    return found


def speed(rows: int) -> dict[str, float]:
    """One core, on so many rows of all files: different texts of every kind, a fifth of them said again."""
    rng = random.Random(2)
    pool = [
        row["text"]
        for name in (*FILES, "topic/toutiao.train", "topic/tnews.train", "sentiment/weibo_emotion.train")
        for row in load(name)
    ]
    texts = [rng.choice(pool) for _ in range(rows // 5)] + rng.sample(pool, min(len(pool), rows - rows // 5))
    started, signatures = time.process_time(), []
    for start in range(0, len(texts), 1024):
        signatures += sign(texts[start : start + 1024])
    signed = time.process_time()
    components(signatures, FILE_BANDS)
    done = time.process_time()
    figures = {
        "rows": len(texts),
        "signed_per_second": len(texts) / (signed - started),
        "clustered_per_second": len(texts) / (done - signed),
        "both_per_second": len(texts) / (done - started),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(figures, flush=True)
    return figures


def write_path(rows: int, batch: int) -> dict[str, Any]:
    """Rows a second with and without copies, in turns."""
    pool = [
        one
        for name in (
            "sentiment/weibo_emotion.train",
            "sentiment/online_shopping_10.train",
            "sentiment/chnsenticorp.train",
        )
        for row in load(name)
        if len(one := row["text"]) > 30
    ]
    rng, figures = random.Random(3), defaultdict(list)

    def made(name: str, with_copies: bool) -> list[DocumentRow]:
        said: list[str] = []
        out = []
        for n, one in enumerate(make_rows(name, rows)):
            if with_copies and said and n % 2:
                body = (
                    edited(rng.choice(said), rng.choice([0, 0.03, 0.1]), rng, "的一是了我不在人")
                    if rng.random() < 0.5
                    else rng.choice(said)
                )
            else:
                body = pool.pop()
            said.append(body)
            out.append(
                one._replace(text=body, published_at=one.published_at + timedelta(minutes=rng.randrange(60 * 48)))
            )
        return out

    def none(texts: Sequence[str]) -> list[None]:
        return [None] * len(texts)

    rng.shuffle(pool)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedPostgres(Path(folder)) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            Partitions(engine).ensure([START, START + timedelta(days=3)])
            for nth in range(ROUNDS):
                for name, with_copies, is_off in (
                    ("without", False, True),
                    ("strangers", False, False),
                    ("copies", True, False),
                ):
                    batches = made(f"{name}{nth}", with_copies)
                    with patch.object(documents, "sign", none) if is_off else patch.object(documents, "sign", sign):
                        figures[name].append(rows_per_second(engine, documents.store, batches, batch))
            with engine.connect() as connection:
                sizes = {
                    table: connection.exec_driver_sql(f"SELECT pg_total_relation_size('{table}')").scalar_one()
                    for table in ("copy_text", "copy_band", "copy_cluster", "document_y2024m05")
                }
                texts = connection.exec_driver_sql("SELECT count(*) FROM copy_text").scalar_one()
            engine.dispose()
    cost = {name: median(1e6 / one for one in values) for name, values in figures.items()}
    for name, values in figures.items():
        print(f"{name:10}" + "".join(f"{value:9.0f}" for value in values) + f"  rows/s, {cost[name]:.0f} us a row")
    print(
        f"bytes a text: {sum(size for table, size in sizes.items() if table.startswith('copy')) / texts:.0f}; {sizes}"
    )
    return {"rows": rows, "batch": batch, **figures, "microseconds": cost, "bytes": sizes, "texts": texts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--skip-sql", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"quality": quality(arguments.texts, arguments.seed), "files": real_files()}
    results["speed"] = speed(arguments.rows)
    if not arguments.skip_sql:
        results["write_path"] = write_path(3072, 256)
    out = Path("var/bench/copies.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
