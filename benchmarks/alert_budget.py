"""What the alert budget costs and saves: the same series with and without the pooled threshold.

    python -m benchmarks.alert_budget --series 60 --seed 1 [--burst 1.0] [--budget 30]

Series as in `benchmarks.spikes`, with their surges, all on one clock. `--burst` multiplies the slow wander of their
share of negatives: real series scatter more than simulated ones.
"""

import argparse

import numpy as np

from alerts.detection.budget import ScorePool
from alerts.detection.detectors import DetectorOptions
from alerts.detection.timeline import SeriesTimeline
from benchmarks.surge_cases import generator
from benchmarks.surge_cases.generator import DAY, DAYS, WARM_UP_DAYS, Series
from benchmarks.surge_cases.rules import START
from benchmarks.surge_cases.scoring import score

BUCKET = DetectorOptions().bucket


def run(made: list[Series], budget: float | None) -> dict[str, float]:
    """Recall, precision, false alarms and the threshold's rise."""
    options = DetectorOptions()
    pool = ScorePool(BUCKET, per_thousand=budget or 30.0, base=options.fires_from)
    timelines = [SeriesTimeline(options) for _ in made]
    fires = np.zeros((len(made), DAYS * DAY), dtype=bool)
    extras = []
    for i in range(DAYS * DAY):
        at = START + i * BUCKET
        if pool.begin(at) and budget is not None:
            for timeline in timelines:
                timeline.adjust([1.0], pool.extra)
        extras.append(pool.extra)
        for n, series in enumerate(made):
            verdict = timelines[n].advance(at, int(series.negatives[i]), int(series.totals[i]))
            fires[n, i] = verdict.is_firing
            if not (verdict.is_firing or verdict.is_learning or timelines[n].is_in_episode):
                pool.add(verdict)
    found = score(made, fires)
    return {
        "recall_20": round(found["recall_20"] or 0.0, 3),
        "precision": round(found["precision"] or 0.0, 3),
        "false_per_series_day": round(found["false_per_series_day"], 4),
        "extra_median": round(float(np.median(extras[WARM_UP_DAYS * DAY :])), 2),
        "extra_most": round(max(extras), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--budget", type=float, default=30.0)
    given = parser.parse_args()
    wander = generator.autoregressive

    def bursty(rng: np.random.Generator, size: int, keep: float, deviation: float) -> np.ndarray:
        return wander(rng, size, keep, deviation * (given.burst if keep == 0.999 else 1.0))

    generator.autoregressive = bursty
    made = generator.many(given.seed, given.series)
    for name, budget in (("without", None), (f"budget {given.budget}", given.budget)):
        print(f"{name:12} {run(made, budget)}", flush=True)


if __name__ == "__main__":
    main()
