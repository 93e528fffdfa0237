"""Injected surges: does the detector find negative surges early, and nothing else?

    python -m benchmarks.spikes --series 60 --seed 1 [--seed 2 ...]

Generator: 28 days of 5-minute buckets a series (0.05 to 63 comments a bucket, day and week cycle, autoregressive
noise, drift, negative binomial counts, drifting beta-binomial share). From day 8 on: two surges of negatives
(x2, 3, 5, 10; 6 to 47 buckets; ramp up to 6 buckets) and two distractors (everything x2 to x10, usual share).
A surge counts when at least 5 extra negatives are expected of it; it is found by an alarm from its start to 12
buckets after its end; alarms nearer than 36 buckets are one. Prints a table, writes var/bench/spikes-<seeds>.json.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from alerts.detectors import DetectorOptions, Sensitivity
from alerts.timeline import SeriesTimeline

BUCKET = timedelta(minutes=5)
DAY = 288
DAYS, WARM_UP_DAYS = 28, 8
START = datetime(2024, 1, 1, tzinfo=UTC)
JOIN = 36
GRACE = 12


@dataclass
class Event:
    """An injected stretch of buckets."""

    start: int
    end: int
    factor: int
    is_negative: bool
    extra: float = 0.0


@dataclass
class Series:
    """Counts per bucket and what was injected."""

    negatives: np.ndarray
    totals: np.ndarray
    base: float
    events: list[Event]


def generate(rng: np.random.Generator) -> Series:
    """One series with its events."""
    size = DAYS * DAY
    index = np.arange(size)
    base = float(np.exp(rng.uniform(np.log(0.05), np.log(63))))
    day = 1 + rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * (index / DAY + rng.uniform()))
    week = np.where((index // DAY) % 7 >= 5, rng.uniform(0.5, 1.2), 1.0)
    noise = autoregressive(rng, size, 0.98, rng.uniform(0.05, 0.25))
    drift = np.exp(np.linspace(0, rng.normal(0, 0.3), size))
    mean = base * day * week * drift * np.exp(noise)
    usual = rng.uniform(0.05, 0.4)
    share = 1 / (1 + np.exp(-(np.log(usual / (1 - usual)) + autoregressive(rng, size, 0.999, 0.2))))
    negative_factor, total_factor = np.ones(size), np.ones(size)
    events = []
    for is_negative in (True, True, False, False):
        event = place(rng, events, is_negative)
        ramp = int(rng.integers(0, 7))
        shape = np.minimum(1.0, (np.arange(event.end - event.start) + 1) / (ramp + 1))
        lift = 1 + (event.factor - 1) * shape
        (negative_factor if is_negative else total_factor)[event.start : event.end] *= lift
        if is_negative:
            event.extra = float(((lift - 1) * (mean * share)[event.start : event.end]).sum())
        events.append(event)
    dispersion = rng.uniform(1.05, 3.0)
    correlation = rng.uniform(0.005, 0.05)
    totals = negative_binomial(rng, mean * total_factor, dispersion)
    scale = 1 / correlation - 1
    negatives = rng.binomial(totals, rng.beta(share * scale, (1 - share) * scale))
    extra = negative_binomial(rng, mean * share * (negative_factor - 1), dispersion)
    return Series(negatives + extra, totals + extra, base, events)


def autoregressive(rng: np.random.Generator, size: int, keep: float, deviation: float) -> np.ndarray:
    """A slow wander around 0 with this stationary deviation."""
    shocks = rng.normal(0, deviation * np.sqrt(1 - keep**2), size)
    value, out = rng.normal(0, deviation), np.empty(size)
    for i, shock in enumerate(shocks):
        value = keep * value + shock
        out[i] = value
    return out


def negative_binomial(rng: np.random.Generator, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts with this mean and variance `dispersion * mean`."""
    return rng.poisson(rng.gamma(np.maximum(mean, 1e-12) / (dispersion - 1)) * (dispersion - 1))


def place(rng: np.random.Generator, events: list[Event], is_negative: bool) -> Event:
    """A stretch after the warm-up that keeps a day's distance from the others."""
    while True:
        start = int(rng.integers(WARM_UP_DAYS * DAY, DAYS * DAY - 100))
        if all(abs(start - other.start) > DAY for other in events):
            return Event(start, start + int(rng.integers(6, 48)), int(rng.choice([2, 3, 5, 10])), is_negative)


def alarms(series: Series, options: DetectorOptions) -> tuple[list[int], int]:
    """Buckets at which an alarm begins, and how many incidents people would have heard of."""
    timeline = SeriesTimeline(options)
    found: list[int] = []
    last = -JOIN
    for index, (x, n) in enumerate(zip(series.negatives.tolist(), series.totals.tolist(), strict=True)):
        if timeline.advance(START + index * BUCKET, x, n).is_firing:
            if index - last >= JOIN and index >= WARM_UP_DAYS * DAY:
                found.append(index)
            last = index
    return found, len(timeline.episodes)


def score(all_series: list[Series], options: DetectorOptions) -> dict[str, Any]:
    """Recall, precision, delay, false alarms and distractor alarms over all series."""
    surges: list[tuple[Event, float, int | None]] = []
    distractors = distractor_alarms = false = true = incidents = 0
    for series in all_series:
        found, told = alarms(series, options)
        incidents += told
        real = [e for e in series.events if e.is_negative]
        for event in real:
            hit = next((a for a in found if event.start <= a <= event.end + GRACE), None)
            if event.extra >= 5:
                surges.append((event, series.base, None if hit is None else hit - event.start))
        for alarm in found:
            if any(e.start <= alarm <= e.end + GRACE for e in real):
                true += 1
                continue
            false += 1
            distractor_alarms += any(e.start <= alarm <= e.end + GRACE for e in series.events if not e.is_negative)
        distractors += len(series.events) - len(real)
    delays = [delay for _, _, delay in surges if delay is not None]
    return {
        "series": len(all_series),
        "surges": len(surges),
        "recall": share([d is not None for _, _, d in surges]),
        "recall_20": share([d is not None for e, _, d in surges if e.extra >= 20]),
        "recall_by_factor": {f: share([d is not None for e, _, d in surges if e.factor == f]) for f in (2, 3, 5, 10)},
        "recall_small": share([d is not None for _, base, d in surges if base < 0.3]),
        "precision": true / max(1, true + false),
        "delay_median": median(delays) if delays else None,
        "delay_p90": quantiles(delays, n=10)[-1] if len(delays) > 1 else None,
        "false_per_series_day": false / (len(all_series) * (DAYS - WARM_UP_DAYS)),
        "distractor_share": distractor_alarms / max(1, distractors),
        "incidents": incidents,
    }


def share(hits: list[bool]) -> float | None:
    """The part that is true; None of nothing."""
    return sum(hits) / len(hits) if hits else None


def rows(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The table for people."""
    columns = (
        "recall",
        "recall_20",
        "precision",
        "delay_median",
        "delay_p90",
        "false_per_series_day",
        "distractor_share",
    )
    yield f"{'sensitivity':12}" + "".join(f"{c:>22}" for c in columns)
    for name, result in results.items():
        yield f"{name:12}" + "".join(f"{'-' if result[c] is None else format(result[c], '.4g'):>22}" for c in columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--sensitivity", choices=["high", "medium", "low"], action="append")
    arguments = parser.parse_args()
    seeds: list[int] = arguments.seed or [1]
    levels: list[Sensitivity] = arguments.sensitivity or ["medium"]
    all_series = [generate(np.random.default_rng([seed, i])) for seed in seeds for i in range(arguments.series)]
    started = time.perf_counter()
    results = {level: score(all_series, DetectorOptions(sensitivity=level)) for level in levels}
    seconds = time.perf_counter() - started
    print("\n".join(rows(results)))
    judged = len(levels) * len(all_series) * DAYS * DAY
    print(f"{judged} buckets judged, {seconds / judged * 1e6:.1f} us each")
    out = Path("var/bench") / f"spikes-{'-'.join(map(str, seeds))}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"seeds": seeds, "seconds": seconds, "results": results}, indent=1))


if __name__ == "__main__":
    main()
