"""Series of 5-minute buckets with known surges.

A base of 0.05 to 63 comments a bucket, day and week cycle, autoregressive noise, drift, negative binomial counts and
a drifting beta-binomial share. From day 8 on: two surges of negatives (x2, 3, 5, 10; 6 to 47 buckets; ramp up to 6
buckets) and two distractors (everything x2 to x10, usual share).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter

DAY = 288
DAYS, WARM_UP_DAYS = 28, 8


@dataclass
class Event:
    """An injected stretch of buckets; `extra` is how many more negatives are expected of it."""

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
    events: list[Event] = field(default_factory=list)


def many(seed: int, count: int, *, days: int = DAYS, has_events: bool = True, below: float = np.inf) -> list[Series]:
    """So many series of one seed, those of a base of `below` and more left out; each depends on seed and number."""
    return [
        generate(np.random.default_rng([seed, nth]), days=days, has_events=has_events)
        for nth in range(count)
        if base_volume(np.random.default_rng([seed, nth])) < below
    ]


def base_volume(rng: np.random.Generator) -> float:
    """Comments a bucket; the first draw of a series."""
    return float(np.exp(rng.uniform(np.log(0.05), np.log(63))))


def generate(rng: np.random.Generator, *, days: int = DAYS, has_events: bool = True) -> Series:
    """One series with its events."""
    size = days * DAY
    index = np.arange(size)
    base = base_volume(rng)
    day = 1 + rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * (index / DAY + rng.uniform()))
    week = np.where((index // DAY) % 7 >= 5, rng.uniform(0.5, 1.2), 1.0)
    noise = autoregressive(rng, size, 0.98, rng.uniform(0.05, 0.25))
    drift = np.exp(np.linspace(0, rng.normal(0, 0.3), size))
    mean = base * day * week * drift * np.exp(noise)
    usual = rng.uniform(0.05, 0.4)
    share = 1 / (1 + np.exp(-(np.log(usual / (1 - usual)) + autoregressive(rng, size, 0.999, 0.2))))
    negative_factor, total_factor = np.ones(size), np.ones(size)
    events: list[Event] = []
    for is_negative in (True, True, False, False) if has_events else ():
        event = place(rng, events, size, is_negative)
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
    wander: np.ndarray = lfilter([1.0], [1.0, -keep], shocks, zi=[keep * rng.normal(0, deviation)])[0]
    return wander


def negative_binomial(rng: np.random.Generator, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts with this mean and variance `dispersion * mean`."""
    counts: np.ndarray = rng.poisson(rng.gamma(np.maximum(mean, 1e-12) / (dispersion - 1)) * (dispersion - 1))
    return counts


def place(rng: np.random.Generator, events: list[Event], size: int, is_negative: bool) -> Event:
    """A stretch after the warm-up that keeps a day's distance from the others."""
    while True:
        start = int(rng.integers(WARM_UP_DAYS * DAY, size - 100))
        if all(abs(start - other.start) > DAY for other in events):
            return Event(start, start + int(rng.integers(6, 48)), int(rng.choice([2, 3, 5, 10])), is_negative)
