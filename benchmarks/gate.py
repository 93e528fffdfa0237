"""What the gate accepts and refuses: error rates and power, by simulation, and where each policy leads in a year.

    python -m benchmarks.gate [--trials 200] [--seed 1] [--only gain|slices|calibration|policy]

gain: candidates of a known true gain in accuracy, on 50 to 2,000 gold texts that answer both heads (three sentiments,
17 topics, skewed); both models are right on about 70 %, and 15 % of the answers change beside the gain. Counted is
how many are accepted. slices: two languages, 12 sources and the classes; equal candidates, and such with one source
destroyed. calibration: equal candidates whose scores scatter, and such that are overconfident. policy: 40 rounds of
200 labels, a fifth of them gold, with models that learn on, or that have learned all there is; what becomes of
accuracy if the gate's interval is judged by each policy.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.records import Opinion
from core.taxonomy import CLASSES, SENTIMENTS, TOPICS
from models.datasets import LabelledText
from models.gate_calibration import is_worse, measure_calibration
from models.gate_gain import measure_gain
from models.gate_options import GateOptions
from models.gate_slices import SliceChange, compare_slices, fallen

OUT = Path("var/bench/gate.json")
CHURN = 0.15
GAIN_TEXTS = (50, 100, 200, 500, 1000, 2000)
GAINS = (-0.05, -0.02, 0.0, 0.01, 0.02, 0.05, 0.1)


def share_of(count: int) -> np.ndarray:
    weights = 1 / np.arange(1, count + 1)
    return weights / weights.sum()


def rows_of(rng: np.random.Generator, count: int, sources: int = 12) -> list[LabelledText]:
    topics = rng.choice(TOPICS, count, p=share_of(len(TOPICS)))
    moods = rng.choice(SENTIMENTS, count, p=(0.5, 0.3, 0.2))
    origin = rng.choice(sources, count, p=share_of(sources))
    return [
        LabelledText(f"{nth}", str(topic), str(mood), "en" if place % 3 == 0 else "zh", f"source {place}")
        for nth, (topic, mood, place) in enumerate(zip(topics, moods, origin, strict=True))
    ]


def opinions(rows: list[LabelledText], right: np.ndarray, confidence: np.ndarray) -> list[Opinion]:
    """Of both heads; a wrong answer is the class after the right one. `right`, `confidence`: (rows, heads)."""
    found = []
    for row, is_right, sure in zip(rows, right, confidence, strict=True):
        answers: dict[str, tuple[str, dict[str, float]]] = {}
        for column, (head, classes) in enumerate(CLASSES.items()):
            place = (classes.index(row.label(head)) + (not is_right[column])) % len(classes)
            rest = (1 - sure[column]) / (len(classes) - 1)
            answers[head] = classes[place], {**dict.fromkeys(classes, rest), classes[place]: float(sure[column])}
        topic, mood = answers["topic"], answers["sentiment"]
        found.append(
            Opinion(
                topic_label=topic[0],
                topic_scores=topic[1],
                sentiment=mood[0],
                sentiment_scores=mood[1],
                model_version="m",
            )
        )
    return found


def pair(rng: np.random.Generator, count: int, gain: float, churn: float = CHURN) -> tuple[np.ndarray, np.ndarray]:
    """Which answers of both heads are right before and after: 70 % before, and `gain` more in the mean."""
    before = rng.random((count, 2)) < 0.7
    lost = max(churn - gain, 0.0) / 2 / 0.7
    gained = (churn + gain if churn > gain else 2 * gain) / 2 / 0.3
    after = np.where(before, rng.random((count, 2)) >= lost, rng.random((count, 2)) < gained)
    return before, after


def gain_table(trials: int, seed: int) -> list[dict[str, Any]]:
    options = GateOptions(resamples=400)
    table = []
    for texts in GAIN_TEXTS:
        for gain in GAINS:
            rng = np.random.default_rng([seed, texts, round(1000 * gain) + 1000])
            accepted = {"better": 0, "not worse 1": 0, "not worse 2": 0, "not worse 3": 0, "estimate": 0}
            widths = []
            for _ in range(trials if texts < 1000 else trials // 2):
                rows = rows_of(rng, texts)
                before, after = pair(rng, texts, gain)
                sure = np.full((texts, 2), 0.9)
                whole = measure_gain(rows, opinions(rows, before, sure), opinions(rows, after, sure), options)
                assert whole is not None
                found = whole.mean
                widths.append(found.high - found.low)
                accepted["better"] += found.low > 0
                accepted["not worse 1"] += found.low > -0.01
                accepted["not worse 2"] += found.low > -0.02
                accepted["not worse 3"] += found.low > -0.03
                accepted["estimate"] += found.estimate >= 0
            shares = {name: round(count / len(widths), 3) for name, count in accepted.items()}
            table.append({"texts": texts, "gain": gain, "width": round(float(np.mean(widths)), 4), **shares})
            print(table[-1], flush=True)
    return table


def slice_table(trials: int, seed: int) -> list[dict[str, Any]]:
    table = []
    for texts, churn in ((200, 0.1), (200, 0.3), (1000, 0.1), (1000, 0.3)):
        rng = np.random.default_rng([seed, texts, round(100 * churn)])
        refused = naive = 0
        for _ in range(trials):
            rows = rows_of(rng, texts)
            changes = compared(rows, *pair(rng, texts, 0.0, churn), GateOptions())
            refused += bool(fallen(changes, GateOptions()))
            naive += any(one.is_judged and one.change < -GateOptions().slice_margin for one in changes)
        table.append({"texts": texts, "churn": churn, "refused": refused / trials, "by margin alone": naive / trials})
        print(table[-1], flush=True)
    for size, fall in ((12, 0.7), (20, 0.7), (30, 0.3), (30, 0.5), (30, 0.7), (60, 0.3), (60, 0.5), (120, 0.3)):
        rng = np.random.default_rng([seed, size, round(100 * fall)])
        options = GateOptions(slice_rows=min(size, GateOptions().slice_rows))
        named = 0
        for _ in range(trials):
            rows = rows_of(rng, 500)
            rows[:size] = [
                LabelledText(row.text, row.topic, row.sentiment, row.lang, "spoilt") for row in rows[:size]
            ]
            before, after = pair(rng, 500, 0.0, 0.1)
            after[:size] = before[:size] & (rng.random((size, 2)) >= fall / 0.7)
            named += any(one.name == "spoilt" for one in fallen(compared(rows, before, after, options), options))
        table.append({"rows": size, "fall": fall, "named": named / trials})
        print(table[-1], flush=True)
    return table


def compared(
    rows: list[LabelledText], before: np.ndarray, after: np.ndarray, options: GateOptions
) -> list[SliceChange]:
    sure = np.full(before.shape, 0.9)
    return compare_slices("held-out labels", rows, opinions(rows, before, sure), opinions(rows, after, sure), options)


def calibration_table(trials: int, seed: int) -> list[dict[str, Any]]:
    """Calibrated scores, which both models scatter around; or a candidate whose log-odds are multiplied."""
    options = GateOptions(resamples=400)
    table = []
    for texts in (50, 100, 200, 500, 1000):
        for sharpening in (1.0, 1.5, 2.0, 3.0):
            rng = np.random.default_rng([seed, texts, round(10 * sharpening)])
            refused = 0
            for _ in range(trials):
                rows = rows_of(rng, texts)
                odds = rng.normal(1.2, 1.0, (texts, 2))
                right = rng.random((texts, 2)) < logistic(odds)
                before = np.clip(logistic(odds + rng.normal(0, 0.3, odds.shape)), 0.4, 0.999)
                after = np.clip(logistic(sharpening * (odds + rng.normal(0, 0.3, odds.shape))), 0.4, 0.999)
                changes = measure_calibration(
                    rows, opinions(rows, right, before), opinions(rows, right, after), options
                )
                refused += any(is_worse(change, options) for change in changes)
            table.append({"texts": texts, "sharpening": sharpening, "refused": refused / trials})
            print(table[-1], flush=True)
    return table


def logistic(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


POLICIES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "better": lambda estimate, half: estimate - half > 0,
    "not worse 1": lambda estimate, half: estimate - half > -0.01,
    "not worse 2": lambda estimate, half: estimate - half > -0.02,
    "not worse 3": lambda estimate, half: estimate - half > -0.03,
    "estimate": lambda estimate, half: estimate >= 0,
    "everything": lambda estimate, half: half > 0,
}
ROUNDS, LOOPS = 40, 2000


def policy_table(seed: int) -> list[dict[str, Any]]:
    """Each candidate is trained on all labels so far, so a refused one loses no label, only time."""
    table = []
    for world, reach in (("learns", 0.2), ("has learned", 0.0)):
        for name, accepts in POLICIES.items():
            rng = np.random.default_rng([seed, round(10 * reach)])
            champion = np.full(LOOPS, 0.62)
            mean, harmful, promotions = np.zeros(LOOPS), np.zeros(LOOPS), np.zeros(LOOPS)
            lowest_step = np.zeros(LOOPS)
            for nth in range(1, ROUNDS + 1):
                knows = 0.62 + reach * (1 - np.exp(-160 * nth / 2000))
                candidate = knows + rng.normal(0, 0.01, LOOPS)  # of two trainings from the same data
                error = np.sqrt(CHURN / (40 * nth))
                estimate = candidate - champion + rng.normal(0, error, LOOPS)
                accepted = accepts(estimate, np.full(LOOPS, 1.645 * error))
                step = np.where(accepted, candidate - champion, 0.0)
                lowest_step = np.minimum(lowest_step, step)
                harmful += step < 0
                promotions += accepted
                champion = np.where(accepted, candidate, champion)
                mean += champion / ROUNDS
            table.append(
                {
                    "world": world,
                    "policy": name,
                    "mean accuracy": round(float(mean.mean()), 4),
                    "at the end": round(float(champion.mean()), 4),
                    "promotions": round(float(promotions.mean()), 2),
                    "harmful": round(float(harmful.mean()), 2),
                    "worst step": round(float(lowest_step.mean()), 4),
                }
            )
            print(table[-1], flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("gain", "slices", "calibration", "policy"))
    given = parser.parse_args()
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "policy": lambda: policy_table(given.seed),
        "slices": lambda: slice_table(given.trials, given.seed),
        "calibration": lambda: calibration_table(given.trials, given.seed),
        "gain": lambda: gain_table(given.trials, given.seed),
    }
    results: dict[str, Any] = {"trials": given.trials, "seed": given.seed}
    for name, part in parts.items():
        if given.only in (None, name):
            started = time.monotonic()
            print(f"-- {name}", flush=True)
            results[name] = part()
            print(f"   {time.monotonic() - started:.0f} s", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))
    print(f"written to {OUT}")


if __name__ == "__main__":
    main()
