"""Replay: rows of what the champion knows, without a text that is judged by."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core.records import Opinion
from core.taxonomy import SENTIMENTS, TOPICS
from models.datasets import LabelledText
from models.replay import REPLAY_FILE, Replay, balanced, build, self_labelled


def opinion(topic: str = "sports", sure: float = 0.95, sentiment_sure: float = 0.4) -> Opinion:
    return Opinion(
        topic_label=topic,
        topic_scores={**dict.fromkeys(TOPICS, 0.0), topic: sure},
        sentiment="neutral",
        sentiment_scores={**dict.fromkeys(SENTIMENTS, 0.0), "neutral": sentiment_sure},
        model_version="m",
    )


def classify(texts: Sequence[str]) -> list[Opinion]:
    """Sure of the topic where the text names it, of the sentiment where it says so."""
    return [
        opinion(next((name for name in TOPICS if name in text), "sports"), 0.95, 0.99 if "plain" in text else 0.4)
        for text in texts
    ]


def built(folder: Path, pool: int = 400) -> Replay:
    return build(
        folder,
        classify,
        labels=[LabelledText(f"plain label {nth}", topic="health") for nth in range(50)],
        held_out=[LabelledText(f"plain held out {nth}", topic="health") for nth in range(30)],
        pool=[LabelledText(f"{TOPICS[nth % 5]} {nth}") for nth in range(pool)] + [LabelledText("Plain  label 7")],
    )


def test_only_likely_answers_are_filled_in() -> None:
    """What people said stays; of the rest only answers count that are more likely right than not."""
    rows = self_labelled(
        [LabelledText("a", topic="health"), LabelledText("b")],
        [opinion(sentiment_sure=0.4), opinion(sure=0.45, sentiment_sure=0.6)],
    )
    assert [(row.topic, row.sentiment) for row in rows] == [("health", None), (None, "neutral")]


def test_labels_keep_the_other_head_in_place(tmp_path: Path) -> None:
    """A run on topics carries the champion's sentiments along, and the gate looks at them too."""
    replay = built(tmp_path)
    assert {(row.topic, row.sentiment) for row in replay.labels} == {("health", "neutral")}
    other_heads = [row for row in replay.held_out if row.text.startswith("plain held out")]
    assert {(row.topic, row.sentiment) for row in other_heads} == {(None, "neutral")}
    assert len(other_heads) == 30


def test_no_text_is_in_two_parts(tmp_path: Path) -> None:
    """Neither do replay parts overlap, nor do they repeat a labelled text."""
    replay = built(tmp_path)
    names = [row.text for part in (replay.train, replay.dev, replay.held_out) for row in part]
    assert len(names) == len(set(names))
    assert "Plain  label 7" not in names
    assert min(len(replay.train), len(replay.dev)) > 10


def test_a_text_stays_in_its_part(tmp_path: Path) -> None:
    """What was held out once is held out in every run, whatever else has come."""
    before = {row.text for row in built(tmp_path, pool=200).held_out}
    assert before <= {row.text for row in built(tmp_path, pool=400).held_out}


def test_a_replay_file_comes_first(tmp_path: Path) -> None:
    """Labelled rows that a checkpoint brings along are true answers, and no pool is read."""
    with gzip.open(tmp_path / REPLAY_FILE, "wt") as file:
        file.writelines(json.dumps({"text": f"old {nth}", "topic": "game"}) + "\n" for nth in range(100))
    replay = built(tmp_path)
    assert replay.origin == "file"
    assert {row.topic for row in replay.train} == {"game"}


def test_rare_classes_are_not_crowded_out() -> None:
    """Of many sports and few health texts, all health texts are taken, and the wanted number is kept."""
    rows = [LabelledText(f"s{nth}", topic="sports") for nth in range(1000)]
    rows += [LabelledText(f"h{nth}", topic="health") for nth in range(8)]
    taken = balanced(rows, 170)
    assert Counter(row.topic for row in taken) == {"sports": 162, "health": 8}
