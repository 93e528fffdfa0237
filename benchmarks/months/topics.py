"""Is a new matter found among doubtful documents, and is it told from what was always there?"""

import gzip
import json
import random
from pathlib import Path
from statistics import mean
from typing import Any, Final

import numpy as np

from alerts.reasons.terms import rank, words_of
from models.topic_clusters import propose

CHATTER: Final = (("sentiment/weibo_emotion.test", 1000), ("topic/tnews.test", 200))  # half in each window
EVENT: Final = ("stream/weibo_jiangping_2024", 150)  # all in the newer one
LASTING: Final = ("sentiment/bdci2018_car.test", 100)  # half in each
SEEDS: Final = 5


def topics(shared: Path) -> dict[str, Any]:
    """Over the seeds: the place of the event among the proposals (1 is first), how pure and how complete it is.

    By words alone, without an encoder.
    """
    found = []
    for seed in range(SEEDS):
        draw = random.Random(seed)
        chatter = [text for file, most in CHATTER for text in _texts(shared, file, most, draw)]
        event, lasting = (_texts(shared, *one, draw) for one in (EVENT, LASTING))
        texts = [*chatter, *event, *lasting]
        is_new = np.array([draw.random() < 0.5 for _ in chatter] + [True] * len(event) + [n % 2 for n in range(100)])
        proposals = propose([words_of(text) for text in texts], is_new.astype(bool), rank)
        inside = [sum(len(chatter) <= place < len(chatter) + len(event) for place in one.places) for one in proposals]
        best = int(np.argmax(inside))
        found.append(
            {
                "place": best + 1,
                "purity": inside[best] / len(proposals[best].places),
                "found": inside[best] / len(event),
                "growth": proposals[best].growth,
                "next_growth": max(one.growth for n, one in enumerate(proposals) if n != best),
                "terms": list(proposals[best].terms),
            }
        )
        print(f"topics seed {seed}: {found[-1]}", flush=True)
    return {
        name: mean(one[name] for one in found) for name in ("place", "purity", "found", "growth", "next_growth")
    } | {"terms": found[0]["terms"]}


def _texts(shared: Path, file: str, most: int, draw: random.Random) -> list[str]:
    with gzip.open(shared / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = sorted({json.loads(line)["text"] for line in lines})
    return draw.sample(texts, most)
