"""Does learning a new domain cost what was known before?

    python -m benchmarks.forgetting [--rounds 5] [--labels 40] [--pool 300] [--rows 250] [--method full]
        [--shared ../shared/data] [--home var/bench/forgetting]

The starter learns, round after round, from labels of a domain that it has never seen (tweets on a debate, in the
order of their time), as the retrain job trains it: gold set, replay of its own answers to stored texts, blending.
Whatever comes out is the next round's champion, without a gate. Stored texts are a sample of the dev files of the
old sources, without their labels, and the tweets so far. Before and after, the model is judged on the test files of
all old sources, `--rows` rows of each, the same ones. No old source may fall by more than a point of macro-F1 over
the classes it has; 95 % intervals of each fall are by a paired bootstrap. Work that was broken off is gone on with.
Writes var/bench/forgetting.json.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.records import Opinion
from core.scrubbing import scrub
from core.taxonomy import CLASSES, HEADS
from core.texts import text_hash
from models.datasets import LabelledText, read_labelled
from models.inference import Classifier
from models.precision import Precision, has_native_bfloat16
from opinion.snapshot import LearningOptions, content_hash
from opinion.training_child import TrainingJob, TrainingRows
from opinion.training_process import MIB, Watch, Work
from opinion.training_set import choose_gold, split
from storage.adjudication import AnsweredText

SEED: Final = 7
NEW_DOMAIN: Final = "stream/gop_debate_2015.jsonl.gz"
STARTED: Final = datetime(2026, 1, 1, tzinfo=UTC)
GOLD_SHARE: Final = 0.2
MOST_FALL: Final = 1.0
DRAWS: Final = 1000
TEMPLATE = "{:28} {:10} {:>6} {:>8} {:>8} {:>7}  {}"


def some(rows: Sequence[LabelledText], count: int) -> list[LabelledText]:
    """At most so many, drawn by the seed."""
    return list(rows) if len(rows) <= count else random.Random(SEED).sample(list(rows), count)


def files(shared: Path, part: str) -> list[Path]:
    found = sorted([*shared.glob(f"topic/*.{part}.jsonl.gz"), *shared.glob(f"sentiment/*.{part}.jsonl.gz")])
    if not found:
        sys.exit(f"there are no {part} files under {shared}; name another folder with --shared")
    return found


def new_texts(shared: Path) -> list[AnsweredText]:
    """The new domain in the order of its time, each text once."""
    found: dict[bytes, AnsweredText] = {}
    for nth, row in enumerate(read_labelled(shared / NEW_DOMAIN)):
        key = text_hash(row.text)
        at = STARTED + timedelta(minutes=nth)
        answers = {head: answer for head in HEADS if (answer := row.label(head))}
        found.setdefault(key, AnsweredText(row.text, row.lang or "", "new domain", at, key, answers))
    return list(found.values())


def stored_texts(shared: Path, count: int) -> list[LabelledText]:
    """Texts as the system has stored them, of all old sources alike, without their labels."""
    sources = files(shared, "dev")
    share = max(1, count // len(sources))
    rows = [row for path in sources for row in some(read_labelled(path), share)]
    return [LabelledText(scrub(row.text), lang=row.lang, source=row.source) for row in rows]


Chosen = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def judge(checkpoint: str, tests: dict[str, list[LabelledText]], threads: int) -> Chosen:
    """Truth and choice (of the classes that occur) by file and head, as class numbers."""
    precision: Precision = "bfloat16" if has_native_bfloat16() else "float32"  # no trial: both models alike
    classifier = Classifier.load(checkpoint, device="cpu", threads=threads, precision=precision)
    chosen: Chosen = {}
    for name, rows in tests.items():
        opinions = classifier.classify([row.text for row in rows])
        for head in HEADS:
            pairs = [(row, one) for row, one in zip(rows, opinions, strict=True) if row.label(head)]
            if pairs:
                truth = np.array([CLASSES[head].index(str(row.label(head))) for row, _ in pairs])
                present = np.unique(truth)
                scores = np.array([[_scores(one, head)[CLASSES[head][c]] for c in present] for _, one in pairs])
                chosen[name, head] = truth, present[scores.argmax(axis=1)]
    return chosen


def _scores(opinion: Opinion, head: str) -> dict[str, float]:
    return opinion.topic_scores if head == "topic" else opinion.sentiment_scores


def macro_f1(truth: np.ndarray, choice: np.ndarray) -> float:
    """Over the classes of `truth`, in percent; what scikit-learn gives, fast enough for a bootstrap."""
    size = int(max(truth.max(), choice.max())) + 1
    counts = np.bincount(truth * size + choice, minlength=size * size).reshape(size, size)
    present = np.unique(truth)
    both = counts.sum(axis=0)[present] + counts.sum(axis=1)[present]
    return 100 * float(np.mean(2 * counts.diagonal()[present] / both))


def compare(before: Chosen, after: Chosen) -> list[dict[str, Any]]:
    """One line for each file and head, the deepest fall first."""
    lines = []
    rng = np.random.default_rng(SEED)
    for (name, head), (truth, old) in before.items():
        new = after[name, head][1]
        draws = (rng.integers(len(truth), size=len(truth)) for _ in range(DRAWS))
        changes = [macro_f1(truth[rows], new[rows]) - macro_f1(truth[rows], old[rows]) for rows in draws]
        low, high = np.percentile(changes, [2.5, 97.5])
        was, now = macro_f1(truth, old), macro_f1(truth, new)
        lines.append(
            {
                "file": name,
                "head": head,
                "rows": len(truth),
                "before": round(was, 2),
                "after": round(now, 2),
                "change": round(now - was, 2),
                "interval": [round(float(low), 2), round(float(high), 2)],
            }
        )
    return sorted(lines, key=lambda line: float(line["change"]))


def learn(arguments: argparse.Namespace, shared: Path) -> tuple[str, list[dict[str, Any]]]:
    """The champion after all rounds, and what each round came to."""
    texts = new_texts(shared)
    stored = stored_texts(shared, arguments.pool)
    stretch = len(texts) // arguments.rounds
    learning = LearningOptions(arguments.epochs, arguments.rate, arguments.method, 256)
    champion, gold, labelled = "starter", {}, []
    rounds = []
    for nth in range(arguments.rounds):
        batch = texts[nth * stretch : nth * stretch + arguments.labels]
        labelled += batch
        now = STARTED + timedelta(days=nth + 1)
        chosen = choose_gold(labelled, gold, {text.key for text in batch}, share=GOLD_SHARE)
        gold |= dict.fromkeys(chosen, now)
        parts = split(labelled, 0, gold=gold)
        seen = some(
            [LabelledText(scrub(text.text), source="new domain") for text in texts[: (nth + 1) * stretch]],
            arguments.pool // 4,
        )
        rows = TrainingRows(parts.train, parts.dev, parts.held_out, [*stored, *seen], parts.held_out_since)
        job = TrainingJob(
            champion=champion,
            champion_version=f"round {nth}",
            home=str(arguments.home.resolve()),
            created_at=now,
            epochs=arguments.epochs,
            learning_rate=arguments.rate,
            device="cpu",
            batch_tokens=4096,
            max_length=256,
            threads=arguments.threads,
            method=arguments.method,
            micro_tokens=8192,
        )
        work = Work.of(arguments.home, content_hash(parts, learning), champion)
        if work.begun() is None:
            work.begin(job, rows)
        started = time.monotonic()
        outcome = work.run(arguments.threads, Watch())
        rounds.append(
            {
                "labels": len(labelled),
                "rows": outcome.rows,
                "gold": asdict(outcome.held_out),
                "seconds": round(time.monotonic() - started),
                "peak_mib": work.peak_bytes // MIB,
            }
        )
        print(json.dumps({"round": nth + 1, **rounds[-1]}), flush=True)
        champion = outcome.path
    return champion, rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=40, help="new labels in each round")
    parser.add_argument("--pool", type=int, default=300, help="stored texts of old sources")
    parser.add_argument("--rows", type=int, default=250, help="rows of each test file")
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--rate", type=float, default=0, help="learning rate; 0 goes by the model's size")
    parser.add_argument("--method", choices=("full", "lora", "heads"), default="full")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--home", type=Path, default=Path("var/bench/forgetting"))
    parser.add_argument("--out", type=Path, default=Path("var/bench/forgetting.json"))
    arguments = parser.parse_args()
    tests = {
        path.name.split(".")[0]: some(read_labelled(path), arguments.rows) for path in files(arguments.shared, "test")
    }
    champion, rounds = learn(arguments, arguments.shared)
    lines = compare(judge("starter", tests, arguments.threads), judge(champion, tests, arguments.threads))
    print(TEMPLATE.format("old source", "head", "rows", "before", "after", "change", "95 % interval"))
    for line in lines:
        low, high = line["interval"]
        figures = (f"{line['before']:.2f}", f"{line['after']:.2f}", f"{line['change']:+.2f}")
        print(TEMPLATE.format(line["file"], line["head"], line["rows"], *figures, f"{low:+.2f} to {high:+.2f}"))
    fallen = [line["file"] for line in lines if line["change"] < -MOST_FALL]
    mean = float(np.mean([line["change"] for line in lines]))
    print(f"mean change {mean:+.2f}; fallen by more than {MOST_FALL:.0f} point: {', '.join(fallen) or 'none'}")
    settings = {name: str(value) for name, value in vars(arguments).items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    body = {"settings": settings, "rounds": rounds, "mean_change": round(mean, 2), "fallen": fallen, "sources": lines}
    arguments.out.write_text(json.dumps(body, indent=1))


if __name__ == "__main__":
    main()
