"""What must not raise alarms: outages, backlogs, late data, another model, and nothing at all.

Each gives the number of alarms, or of series that alarmed, on calm series without any event.
"""

from typing import Any

import numpy as np

from benchmarks.surge_cases.generator import DAY, WARM_UP_DAYS, many
from benchmarks.surge_cases.rules import mean_and_deviations, ours
from benchmarks.surge_cases.scoring import alarms

SERIES = 150
DAYS = 11
OUTAGE_DAY = 9
AFTER = 48  # buckets after an outage in which an alarm is held to be its doing
LATE = 0.2


def counts(seed: int, series: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """(negatives, documents) of calm series, (series, bucket)."""
    calm = many(seed, series, days=days, has_events=False)
    return np.stack([one.negatives for one in calm]), np.stack([one.totals for one in calm])


def alarmed(fires: np.ndarray, start: int, end: int) -> int:
    """How many series begin an alarm between these buckets."""
    return sum(any(start <= at < end for at in alarms(row)) for row in fires)


def measure(seed: int) -> dict[str, Any]:
    """Every case on the same series."""
    negatives, totals = counts(seed, SERIES, DAYS)
    rng = np.random.default_rng(seed)
    start = OUTAGE_DAY * DAY + int(rng.integers(0, DAY // 2))
    found: dict[str, Any] = {"series": SERIES}
    calm = ours()(negatives, totals)
    zeros, unknown, lump = {}, {}, {}
    for minutes in (15, 60, 180):
        end = start + minutes // 5
        x, n = negatives.copy(), totals.copy()
        x[:, start:end] = n[:, start:end] = 0
        zeros[minutes] = alarmed(ours()(x, n), end, end + AFTER)
        kept = np.r_[0:start, end : x.shape[1]]
        unknown[minutes] = alarmed(ours(gaps=[start])(x[:, kept], n[:, kept]), start, start + AFTER)
        x[:, end] += negatives[:, start:end].sum(axis=1)
        n[:, end] += totals[:, start:end].sum(axis=1)
        lump[minutes] = alarmed(ours()(x, n), end, end + AFTER)
        if minutes == 180:
            found["backlog in one bucket, 7-day mean + 3 sd"] = alarmed(
                mean_and_deviations(3)(x, n), end, end + AFTER
            )
    found["no outage, same hours"] = alarmed(calm, start + 36, start + 36 + AFTER)
    found["outage, known as one (live)"] = unknown
    found["outage, taken as zeros"] = zeros
    found["backlog in one bucket (by processing time)"] = lump
    found["backlog in its buckets (by event time: live)"] = found["no outage, same hours"]
    late_x = rng.binomial(negatives, 1 - LATE)
    late_n = late_x + rng.binomial(totals - negatives, 1 - LATE)
    day = range(OUTAGE_DAY * DAY, (OUTAGE_DAY + 1) * DAY)
    found["late data: one in five not there yet, a day"] = alarmed(ours()(late_x, late_n), day.start, day.stop)
    more = negatives.copy()
    others = totals - negatives
    rise = np.minimum(rng.poisson(0.3 * negatives[:, day.start :]), others[:, day.start :])
    more[:, day.start :] += rise
    found["another model, +30 % negatives, first day, untranslated"] = alarmed(
        ours()(more, totals), day.start, day.stop
    )
    found["the same day, same model"] = alarmed(calm, day.start, day.stop)
    return found


def null_run(seed: int, series: int = 1000, days: int = 7) -> dict[str, Any]:
    """Alarms where nothing happens."""
    negatives, totals = counts(seed, series, WARM_UP_DAYS + days)
    fires = ours()(negatives, totals)
    false = sum(len(alarms(row)) for row in fires)
    return {
        "series": series,
        "days": days,
        "alarms": false,
        "false_per_series_day": false / (series * days),
        "firing_buckets_per_day_and_1000_series": float(fires[:, WARM_UP_DAYS * DAY :].sum() / days * 1000 / series),
    }
