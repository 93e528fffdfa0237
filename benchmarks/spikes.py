"""Injected surges: does the detector find negative surges early, and nothing else? And do other products' rules?

    make bench ONLY=spikes SEED="7 8"
    python -m benchmarks.spikes --series 600 --seed 7 --seed 8 [--sensitivity high] [--no-faults]

See `benchmarks.surge_cases` for series, rivals and scoring. Writes var/bench/spikes-<seeds>.json.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alerts.detection.detectors import Sensitivity
from benchmarks.surge_cases import faults, generator
from benchmarks.surge_cases.rules import RIVALS, Rule, ours
from benchmarks.surge_cases.scoring import score

SEEDS = "1001 1002"
COLUMNS = {
    "recall": "recall",
    "recall_20": ">=20 extra",
    "precision": "precision",
    "delay_median": "delay",
    "delay_p90": "p90",
    "false_per_series_day": "false/day",
    "distractor_share": "distractors",
}


def rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The tables for people."""
    yield f"{'rule':30}" + "".join(f"{heading:>13}" for heading in COLUMNS.values())
    for name, result in results.items():
        yield f"{name:30}" + "".join(f"{figure(result[column]):>13}" for column in COLUMNS)
    for part, heading in (("recall_by_factor", "recall, strength x"), ("recall_by_volume", "recall, per bucket")):
        parts = list(next(iter(results.values()))[part])
        yield f"\n{heading:30}" + "".join(f"{str(one).replace('1e+09', ''):>13}" for one in parts)
        for name, result in results.items():
            yield f"{name:30}" + "".join(f"{figure(result[part][one]):>13}" for one in parts)


def figure(value: float | None) -> str:
    """Three digits, or a dash for nothing."""
    return "-" if value is None else format(value, ".3g")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=300)
    parser.add_argument("--seed", type=int, action="append", help="else the environment's SEED, else our own")
    parser.add_argument("--sensitivity", choices=["high", "medium", "low"], action="append")
    parser.add_argument("--below", type=float, default=np.inf, help="only series with fewer comments a bucket")
    parser.add_argument("--no-faults", action="store_true", help="leave out outages, model change and the null run")
    arguments = parser.parse_args()
    seeds: list[int] = arguments.seed or [
        int(seed) for seed in os.environ.get("SEED", SEEDS).replace(",", " ").split()
    ]
    levels: list[Sensitivity] = arguments.sensitivity or ["medium"]
    all_series = [
        series for seed in seeds for series in generator.many(seed, arguments.series, below=arguments.below)
    ]
    negatives = np.stack([series.negatives for series in all_series])
    totals = np.stack([series.totals for series in all_series])
    rules: dict[str, Rule] = {f"opinion, {level}": ours(level) for level in levels} | RIVALS
    started = time.perf_counter()
    results = {}
    for name, rule in rules.items():
        results[name] = score(all_series, rule(negatives, totals))
        if name == f"opinion, {levels[0]}":
            per_bucket = (time.perf_counter() - started) / negatives.size * 1e6
    print("\n".join(rows(results)))
    surges = results[f"opinion, {levels[0]}"]["surges"]
    print(f"\nseeds {seeds}: {surges} surges; {per_bucket:.1f} us a bucket and series")
    found: dict[str, Any] = {"seeds": seeds, "results": results}
    if not arguments.no_faults:
        found |= {"faults": faults.measure(seeds[0]), "null": faults.null_run(seeds[0])}
        print(f"\nseries that alarmed, of {found['faults']['series']}")
        for name, value in found["faults"].items():
            print(f"  {name:60}{value}")
        print(f"null run: {found['null']}")
    out = Path("var/bench") / f"spikes-{'-'.join(map(str, seeds))}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
