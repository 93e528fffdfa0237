"""What labels are worth: macro-F1 against their number, for the queue's way to choose them, uncertainty, and chance.

    python -m benchmarks.label_efficiency [--data ../shared/data] [--seeds 6] [--picture FILE.svg]

Four pools that the models in use have never learned from. Three are streams that the starter judges (English: there
is no other stream with answers): learning goes on from its answers. For the fourth, Chinese comments on banks, nobody
has answered anything yet: it is read by a bare encoder, and learning begins at nothing.

Labels are bought in four rounds, up to 100, 200, 400 and 800. In each, 2,000 texts are drawn from the pool, as a fill
of the queue does; the way chooses among them by the scores of the model that the labels so far have made; the answers
are uncovered, and a new model is made of all of them: a linear one on frozen features, so that a retraining takes a
second (`benchmarks.label_cases.learner`). The test is never chosen from. Nothing was tuned on these seeds: the
learner's penalty and the kernel's radius were chosen on seeds 1000 to 1005 of the same pools, and between states and
n-grams on seeds 1 to 6.

Prints a table and writes var/bench/label_efficiency.json; the features are kept beside it, as making them takes
minutes.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.label_cases.learner import fit, macro_f1, scaled, scores
from benchmarks.label_cases.picture import draw
from benchmarks.label_cases.pools import SOURCES, Pool, load
from benchmarks.label_cases.ways import NGRAMS, WAYS, Way
from models.state_vectors import alike
from models.text_vectors import text_vectors

BUDGETS: Final = (100, 200, 400, 800)
CANDIDATES: Final = 2000
MEAN: Final = "mean of the pools"
Curves = dict[str, dict[str, list[list[float]]]]


def curve(pool: Pool, vectors: Any, way: Way, seed: int) -> list[float]:
    """Macro-F1 on the test at each budget."""
    chance = np.random.default_rng(seed)
    features, test_features = scaled(pool)
    weights = np.zeros((features.shape[1] + 1, len(pool.classes)))
    labelled: list[int] = []
    found = []
    for budget in BUDGETS:
        free = chance.permutation(np.setdiff1d(np.arange(len(features)), labelled))[:CANDIDATES]
        judged = scores(features[free], pool.logits[free], weights).astype(np.float32)
        chosen = way(judged, vectors[free], budget - len(labelled), vectors[labelled], chance)
        labelled += [int(index) for index in free[chosen]]
        weights = fit(features[labelled], pool.logits[labelled], pool.answers[labelled])
        found.append(macro_f1(scores(test_features, pool.test_logits, weights), pool.test_answers))
    return found


def summary(curves: Curves) -> dict[str, Any]:
    """Means and standard errors over the seeds, by pool and way, and ours less the others, paired by seed."""
    found: dict[str, Any] = {}
    for pool, by_way in curves.items():
        ours = np.array(by_way["ours"])
        found[pool] = {
            way: {"mean": _rounded(np.mean(runs, axis=0)), "error": _rounded(_error(np.array(runs)))}
            for way, runs in by_way.items()
        }
        for way in WAYS:
            if way == "ours":
                continue
            gain = ours - np.array(by_way[way])
            found[pool][f"ours less {way}"] = {"mean": _rounded(gain.mean(axis=0)), "error": _rounded(_error(gain))}
    return found


def _error(figures: Any) -> Any:
    return figures.std(axis=0, ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else np.zeros(figures.shape[1])


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]


def show(table: dict[str, Any], before: dict[str, float], seeds: Sequence[int]) -> None:
    print(f"macro-F1 in percent, mean over {len(seeds)} seeds ± standard error; labels: {BUDGETS}")
    for pool, by_way in table.items():
        for way, figures in by_way.items():
            cells = zip(figures["mean"], figures["error"], strict=True)
            line = "  ".join(f"{100 * mean:6.1f} ± {100 * error:3.1f}" for mean, error in cells)
            print(f"{pool:16} {way:26} {line}")
        print(f"{pool:16} {'before any label':26} {100 * before[pool]:6.1f}")


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--pools", nargs="*", choices=list(SOURCES), default=list(SOURCES))
    parser.add_argument("--resume", action="store_true", help="take the pools that a run with these seeds finished")
    parser.add_argument("--picture", type=Path, default=None)
    options = parser.parse_args()
    out = Path("var/bench")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    curves: Curves = {}
    before: dict[str, float] = {}
    for name in options.pools:
        kept = out / "label_efficiency" / f"{name}-{seeds.start}-{seeds.stop}.json"
        if options.resume and kept.is_file():
            curves[name], before[name] = json.loads(kept.read_text(encoding="utf-8"))
            show(summary({name: curves[name]}), before, seeds)
            continue
        pool = load(name, options.data, out / "label_efficiency")
        ngrams = text_vectors(pool.texts)
        before[name] = round(macro_f1(pool.test_logits.astype(float), pool.test_answers), 4)
        states = alike(pool.features)
        curves[name] = {
            way: [curve(pool, ngrams if way == NGRAMS else states, choose, seed) for seed in seeds]
            for way, choose in WAYS.items()
        }
        kept.write_text(json.dumps([curves[name], before[name]]), encoding="utf-8")
        show(summary({name: curves[name]}), before, seeds)
    curves[MEAN] = {way: np.mean([by[way] for by in curves.values()], axis=0).tolist() for way in WAYS}
    before[MEAN] = round(sum(before.values()) / len(before), 4)
    show(summary({MEAN: curves[MEAN]}), before, seeds)
    out.mkdir(parents=True, exist_ok=True)
    body = {"budgets": BUDGETS, "seeds": list(seeds), "before": before, "figures": summary(curves), "runs": curves}
    (out / "label_efficiency.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if options.picture is not None:
        draw(options.picture, BUDGETS, curves)
    print(f"written to {out / 'label_efficiency.json'}")


if __name__ == "__main__":
    main()
