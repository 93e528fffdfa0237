"""A new model that calls more negatives: how many series alarm that day, and are true surges still found?

    python -m benchmarks.model_switches --series 150 --seed 1 [--more 0.3] [--unlike 0.1] [--mixed-hours 3]

Series as in `benchmarks.spikes`, 11 days each and without its events. At the end of day 9 a model takes over that
finds `--more` as many negatives again (of series by series, up to a scatter of `--unlike`), over `--mixed-hours` in
which two workers run different models. Every tenth of a second set of series gets a surge (x5 for two hours) half an
hour after the switch. Counted are series that alarm within a day of the switch, for each way to the factor.
"""

import argparse
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from alerts.detection.detectors import DetectorOptions
from alerts.detection.model_switches import ModelSwitches, Overlap
from alerts.detection.timeline import SeriesTimeline
from benchmarks.surge_cases.generator import autoregressive, negative_binomial

BUCKET = timedelta(minutes=5)
DAY = 288
DAYS, SWITCH = 11, 9 * DAY
SURGE, SURGE_BUCKETS, SURGE_FACTOR = SWITCH + 6, 24, 5
START = datetime(2024, 1, 1, tzinfo=UTC)
OVERLAP_TEXTS = 1000


@dataclass
class Counts:
    """Documents and negatives of one series by model, per bucket: [:, 0] of the old one, [:, 1] of the new one."""

    totals: np.ndarray
    negatives: np.ndarray


def series(seed: list[int], more: float, unlike: float, mixed: int, has_surge: bool) -> Counts:
    """One series around a switch. The same seed gives the same documents, whatever the models say of them."""
    rng, models = np.random.default_rng(seed), np.random.default_rng([*seed, 1])
    size = DAYS * DAY
    index = np.arange(size)
    base = float(np.exp(rng.uniform(np.log(0.05), np.log(63))))
    day = 1 + rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * (index / DAY + rng.uniform()))
    mean = base * day * np.exp(autoregressive(rng, size, 0.98, rng.uniform(0.05, 0.25)))
    usual = rng.uniform(0.05, 0.4)
    share = 1 / (1 + np.exp(-(np.log(usual / (1 - usual)) + autoregressive(rng, size, 0.999, 0.2))))
    scale = 1 / rng.uniform(0.005, 0.05) - 1
    dispersion = rng.uniform(1.05, 3.0)
    drawn = rng.beta(share * scale, (1 - share) * scale)
    everything = negative_binomial(rng, mean, dispersion)
    negatives = rng.binomial(everything, drawn)
    extra = np.zeros(size, dtype=int)
    if has_surge:
        window = slice(SURGE, SURGE + SURGE_BUCKETS)
        extra[window] = negative_binomial(rng, (mean * share)[window] * (SURGE_FACTOR - 1), dispersion)
    factor = (1 + more) * np.exp(models.normal(0, unlike))
    flip = np.clip((factor - 1) * drawn / (1 - drawn), 0, 0.97)
    part = np.clip((index - SWITCH + 1) / max(mixed, 1), 0, 1)
    by_new = (
        models.binomial(negatives, part),
        models.binomial(everything - negatives, part),
        models.binomial(extra, part),
    )
    negative_new = by_new[0] + models.binomial(by_new[1], flip) + by_new[2]
    totals_new = sum(by_new)
    return Counts(
        np.stack([everything + extra - totals_new, totals_new], 1),
        np.stack([negatives + extra - by_new[0] - by_new[2], negative_new], 1),
    )


def alarms(all_series: list[Counts], way: str, more: float) -> list[bool]:
    """Whether each series fires within a day of the switch."""
    options = DetectorOptions()
    old, new = 200, round(200 * (1 + more))
    overlaps = {("old", "new"): Overlap({("", ""): (old, new)})} if way == "overlap" else {}
    switches = ModelSwitches(options.windows, overlaps)
    timelines = [SeriesTimeline(options) for _ in all_series]
    fired = [False] * len(all_series)
    usual = {
        str(n): (
            int(s.negatives[SWITCH - 2 * DAY : SWITCH, 0].sum()),
            int(s.totals[SWITCH - 2 * DAY : SWITCH, 0].sum()),
        )
        for n, s in enumerate(all_series)
    }
    whole = np.sum([s.totals for s in all_series], axis=0)
    for i in range(SWITCH + DAY):
        at = START + i * BUCKET
        if way != "none":
            totals = {v: int(whole[i, k]) for k, v in enumerate(("old", "new")) if whole[i, k]}
            groups = {
                "new": {str(n): (int(s.negatives[i, 1]), int(s.totals[i, 1])) for n, s in enumerate(all_series)}
            } if i >= SWITCH and way == "estimate" else {}  # fmt: skip
            if switches.advance(at, totals, groups, lambda _, __: usual):
                for timeline in timelines:
                    timeline.adjust(switches.factors({}), switches.extra())
        for n, s in enumerate(all_series):
            is_firing = timelines[n].advance(at, int(s.negatives[i].sum()), int(s.totals[i].sum())).is_firing
            fired[n] |= is_firing and i >= SWITCH
    if way != "none":
        print(way, list(switches.switches()))
    return fired


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", type=float, default=0.3)
    parser.add_argument("--unlike", type=float, default=0.0)
    parser.add_argument("--mixed-hours", type=float, default=0.0)
    given = parser.parse_args()
    mixed = round(given.mixed_hours * 12)
    results = {}
    for name, surging, ways in (
        ("calm, the same model", False, ("none",)),
        ("calm, new model", False, ("none", "unknown", "estimate", "overlap")),
        ("a tenth surges, the same model", True, ("none",)),
        ("a tenth surges, new model", True, ("none", "unknown", "estimate", "overlap")),
    ):
        more, unlike = (0.0, 0.0) if "same" in name else (given.more, given.unlike)
        made = [series([given.seed, n], more, unlike, mixed, surging and n % 10 == 0) for n in range(given.series)]
        for way in ways:
            started = time.perf_counter()
            fired = alarms(made, way, given.more)
            surged = sum(fired[::10]) if surging else 0
            row = {"alarms": sum(fired) - surged, "surges found": surged, "of": len(fired[::10]) if surging else 0}
            results[f"{name}, {way}"] = row
            print(f"{name:28} {way:10} {row}  {time.perf_counter() - started:.0f} s", flush=True)
    out = Path("var/bench") / f"model-switches-{given.seed}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"given": vars(given), "results": results}, indent=1))


if __name__ == "__main__":
    main()
