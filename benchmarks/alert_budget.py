"""What the alert budget costs and saves: the same series with and without the pooled threshold.

    python -m benchmarks.alert_budget --series 60 --seed 1 [--burst 1.0] [--budget 30]

Series as in `benchmarks.spikes`, with their surges, all on one clock. `--burst` multiplies the slow wander of their
share of negatives: real series scatter more than simulated ones.
"""

import argparse

import numpy as np

import benchmarks.spikes as spikes
from alerts.detection.budget import ScorePool
from alerts.detection.detectors import DetectorOptions
from alerts.detection.timeline import SeriesTimeline
from benchmarks.spikes import BUCKET, DAY, DAYS, GRACE, JOIN, START, WARM_UP_DAYS


def run(made: list[spikes.Series], budget: float | None) -> dict[str, float]:
    """Recall, precision, false alarms and the threshold's rise."""
    options = DetectorOptions()
    pool = ScorePool(BUCKET, per_thousand=budget or 30.0, base=4.5)
    timelines = [SeriesTimeline(options) for _ in made]
    last = [-JOIN] * len(made)
    alarms: list[list[int]] = [[] for _ in made]
    extras = []
    for i in range(DAYS * DAY):
        if pool.begin(START + i * BUCKET) and budget is not None:
            for timeline in timelines:
                timeline.adjust([1.0], pool.extra)
        extras.append(pool.extra)
        for n, series in enumerate(made):
            verdict = timelines[n].advance(START + i * BUCKET, int(series.negatives[i]), int(series.totals[i]))
            if verdict.is_firing:
                if i - last[n] >= JOIN and i >= WARM_UP_DAYS * DAY:
                    alarms[n].append(i)
                last[n] = i
            elif not verdict.is_learning and not timelines[n].is_in_episode:
                pool.add(verdict)
    surges = found = true = false = 0
    for series, of_one in zip(made, alarms, strict=True):
        real = [e for e in series.events if e.is_negative]
        for event in (e for e in real if e.extra >= 20):
            surges += 1
            found += any(event.start <= a <= event.end + GRACE for a in of_one)
        hits = [any(e.start <= a <= e.end + GRACE for e in real) for a in of_one]
        true, false = true + sum(hits), false + len(hits) - sum(hits)
    return {
        "recall_20": round(found / max(surges, 1), 3),
        "precision": round(true / max(true + false, 1), 3),
        "false_per_series_day": round(false / (len(made) * (DAYS - WARM_UP_DAYS)), 4),
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
    wander = spikes.autoregressive

    def bursty(rng: np.random.Generator, size: int, keep: float, deviation: float) -> np.ndarray:
        return wander(rng, size, keep, deviation * (given.burst if keep == 0.999 else 1.0))

    spikes.autoregressive = bursty
    made = [spikes.generate(np.random.default_rng([given.seed, n])) for n in range(given.series)]
    for name, budget in (("without", None), (f"budget {given.budget}", given.budget)):
        print(f"{name:12} {run(made, budget)}", flush=True)


if __name__ == "__main__":
    main()
