"""Does a title help the classifier to judge a comment?

    python -m benchmarks.title_context [--shared ../shared/data] [--seed 7]

No labelled comments with the titles of their articles are at hand, so this asks what a title costs: comments on
public events (osm_public_events, test) alone, under a title that says nothing, and under the headline of other news.
Prints accuracy over three classes and, of the two that the file has, accuracy and macro-F1; writes
var/bench/title_context.json.
"""

import argparse
import gzip
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score, f1_score

from models.inference import Classifier

SAYS_NOTHING = "网友评论"


def read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        sys.exit(f"there is no {path}; name another folder with --shared")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def judge(classifier: Classifier, texts: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    present = sorted(set(labels))
    opinions = classifier.classify(texts)
    best = [max(present, key=one.sentiment_scores.__getitem__) for one in opinions]
    return {
        "accuracy": round(accuracy_score(labels, [one.sentiment for one in opinions]), 4),
        "accuracy_present": round(accuracy_score(labels, best), 4),
        "macro_f1_present": round(f1_score(labels, best, average="macro"), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    comments = read(arguments.shared / "sentiment" / "osm_public_events.test.jsonl.gz")
    headlines = [row["text"] for row in read(arguments.shared / "topic" / "tnews.test.jsonl.gz")]
    rng = random.Random(arguments.seed)
    texts = [row["text"] for row in comments]
    kinds = {
        "alone": texts,
        "under a title that says nothing": [f"{SAYS_NOTHING}\n{one}" for one in texts],
        "under the headline of other news": [f"{rng.choice(headlines)}\n{one}" for one in texts],
    }
    classifier = Classifier.load("starter")
    labels = [row["sentiment"] for row in comments]
    figures = {name: judge(classifier, some, labels) for name, some in kinds.items()}
    for name, one in figures.items():
        print(f"{name:36}" + "  ".join(f"{key} {value:.4f}" for key, value in one.items()))
    out = Path("var/bench/title_context.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"comments": len(texts), "seed": arguments.seed, **figures}, indent=1))


if __name__ == "__main__":
    main()
