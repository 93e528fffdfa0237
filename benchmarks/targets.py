"""Whose sentiment: is a text's verdict on one company right, when it speaks of several?

    python -m benchmarks.targets [--checkpoint FOLDER] [--data ../shared/data] [--pairs 400]

Ways to ask a classifier about a company: the whole document's sentiment for everybody in it; the sentences around
its mentions, or the clauses with one alone, as they stand; the same with the mentions marked; and the mean of the
last two, which is what workers use where the checkpoint knows the mark (`models.targets`; else they use `clauses`).

- `finnsp`: news that name companies, and which of them they are bad for (test split; of the rest nobody said whether
  it is good). Then the same on those texts alone that are bad for some of their companies and not for others.
- `xueqiu`: two headlines about different companies and of different sentiment in one text, each company asked for; of
  the classes that occur, negative and positive, the likelier counts (dev split: there is no test split).
- `tweets`: the same for two English tweets put into the mouths of invented names; three classes (test split).
- `alone`: short texts of `finnsp` with a single company: how often its sentiment is the document's.

Prints a table, writes var/bench/targets-<model version>.json.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import torch

from core.taxonomy import SENTIMENTS
from models.datasets import open_text
from models.inference import Classifier
from models.targets import CONTEXT_CHARS, OTHER_NAMES, TARGET, clauses, context, mark, mentions_of

# What is read of a text in which the target is marked; the mean of the answers counts.
WAYS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "document": lambda marked: (marked,),
    "sentences": lambda marked: (context(marked),),
    "clauses": lambda marked: (clauses(marked),),
    "sentences, marked": lambda marked: (context(marked),),
    "clauses, marked": lambda marked: (clauses(marked),),
    "both, marked": lambda marked: (context(marked), clauses(marked)),
}


@dataclass(frozen=True)
class Case:
    """A text, one target in it, and the answer; `among` are the classes that can be right."""

    text: str
    name: str
    answer: str
    among: tuple[str, ...] = SENTIMENTS

    def read(self, way: str) -> list[str]:
        """What the classifier gets to see."""
        marked = mark(self.text, mentions_of(self.text, self.name))
        is_marked = way.endswith("marked")
        return [text if is_marked else text.replace(TARGET, self.name) for text in WAYS[way](marked)]


class Row(msgspec.Struct):
    """What is needed of a line of the data."""

    text: str
    sentiment: str | None = None
    entities: str | None = None
    negative_entities: str | None = None
    company: str | None = None


def read(path: Path) -> list[Row]:
    """The lines of a file; a company that is NaN is none."""
    with open_text(path) as lines:
        return [msgspec.json.decode(line.replace(b": NaN", b": null"), type=Row) for line in lines]


def entity_cases(rows: Sequence[Row]) -> Iterator[list[Case]]:
    """One list per text: its entities, negative or not."""
    for row in rows:
        negative = set((row.negative_entities or "").split(";"))
        names = [name for name in (row.entities or "").split(";") if name and name in row.text]
        yield [Case(row.text, name, "negative" if name in negative else "other") for name in names]


def pair_cases(rows: Sequence[Row], count: int, lang: str, among: tuple[str, ...]) -> list[Case]:
    """Two rows of different sentiment in one text, twice: once asked about each."""
    chance = random.Random(7)
    labelled = [row for row in rows if row.sentiment in among and (not row.company or row.company in row.text)]
    joint = {"zh": "，", "en": ". "}[lang]
    cases: list[Case] = []
    while len(cases) < 2 * count:
        pair = chance.sample(labelled, 2)
        invented = chance.sample(OTHER_NAMES[lang], 2)
        named = [
            (row.company, row.text) if row.company else (name, f"{name}: {row.text}")
            for row, name in zip(pair, invented, strict=True)
        ]
        (first, said), (second, told) = named
        if pair[0].sentiment == pair[1].sentiment or first in told or second in said:
            continue
        text = f"{said}{joint}{told}"
        cases += [Case(text, name, str(row.sentiment), among) for row, (name, _) in zip(pair, named, strict=True)]
    return cases


def judged(classifier: Classifier, cases: Sequence[Case], way: str) -> list[str]:
    """The classifier's answer to each case."""
    asked = [case.read(way) for case in cases]
    answers = iter(classifier.classify([text for texts in asked for text in texts]))
    found = []
    for case, texts in zip(cases, asked, strict=True):
        scores = [opinion.sentiment_scores for opinion in islice(answers, len(texts))]
        found.append(max(case.among, key=lambda sentiment: sum(score[sentiment] for score in scores)))
    return found


def negatives(cases: Sequence[Case], answers: Sequence[str]) -> dict[str, Any]:
    """How well negative targets are told from all others."""
    found = Counter(
        (answer == "negative", case.answer == "negative") for case, answer in zip(cases, answers, strict=True)
    )
    hits, wrong, missed = found[True, True], found[True, False], found[False, True]
    return {
        "targets": len(cases),
        "negative": hits + missed,
        "accuracy": (hits + found[False, False]) / len(cases),
        "precision": hits / max(hits + wrong, 1),
        "recall": hits / max(hits + missed, 1),
        "f1": 2 * hits / max(2 * hits + wrong + missed, 1),
    }


def pairs(cases: Sequence[Case], answers: Sequence[str]) -> dict[str, Any]:
    """How often one target is right, and how often both of a text."""
    right = [answer == case.answer for case, answer in zip(cases, answers, strict=True)]
    return {
        "targets": len(cases),
        "accuracy": sum(right) / len(cases),
        "both_right": sum(a and b for a, b in zip(right[::2], right[1::2], strict=True)) * 2 / len(cases),
    }


def agreement(classifier: Classifier, texts: Sequence[list[Case]]) -> dict[str, Any]:
    """Of short texts with one target: how often the target's sentiment is the document's, so that asking was idle."""
    alone = [cases[0] for cases in texts if len(cases) == 1 and len(cases[0].text) <= CONTEXT_CHARS]
    pairs = zip(judged(classifier, alone, "document"), judged(classifier, alone, "both, marked"), strict=True)
    return {"texts": len(alone), "same": sum(a == b for a, b in pairs) / len(alone)}


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="starter")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pairs", type=int, default=400)
    options = parser.parse_args()
    classifier = Classifier.load(options.checkpoint)
    folder = options.data / "sentiment"
    texts = list(entity_cases(read(folder / "finnsp.test.jsonl.gz")))
    mixed = [cases for cases in texts if len({case.answer for case in cases}) == 2]
    headlines = read(folder / "fin_news_xueqiu.dev.jsonl.gz")
    tweets = read(folder / "semeval_tweets.test.jsonl.gz")
    sets: dict[str, tuple[list[Case], Callable[[Sequence[Case], Sequence[str]], dict[str, Any]]]] = {
        "finnsp": ([case for cases in texts for case in cases], negatives),
        "finnsp, mixed": ([case for cases in mixed for case in cases], negatives),
        "xueqiu": (pair_cases(headlines, options.pairs, "zh", ("negative", "positive")), pairs),
        "tweets": (pair_cases(tweets, options.pairs, "en", SENTIMENTS), pairs),
    }
    figures = {
        name: {way: measure(cases, judged(classifier, cases, way)) for way in WAYS}
        for name, (cases, measure) in sets.items()
    }
    print(f"model {classifier.version}, reads targets: {classifier.reads_targets}, {torch.get_num_threads()} threads")
    for name, by_way in figures.items():
        for way, found in by_way.items():
            shares = "  ".join(f"{key} {value:.3f}" for key, value in found.items() if isinstance(value, float))
            print(f"{name:14} {way:17} {found['targets']:5} targets  {shares}")
    alone = agreement(classifier, texts)
    print(f"{'alone':14} {'same':17} {alone['texts']:5} texts    {alone['same']:.3f}")
    out = Path("var/bench") / f"targets-{Path(classifier.version).name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "model": classifier.version,
        "reads_targets": classifier.reads_targets,
        "figures": figures,
        "alone": alone,
    }
    out.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
