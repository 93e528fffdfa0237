"""How a rule is scored on series with known events.

A surge counts when at least 5 extra negatives are expected of it; it is found by an alarm from its start to 12
buckets after its end; alarms nearer than 36 buckets are one.
"""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks.surge_cases.generator import DAY, WARM_UP_DAYS, Event, Series

JOIN = 36
GRACE = 12
FEWEST_EXTRA = 5
VOLUMES = ((0.0, 0.3), (0.3, 2.0), (2.0, 10.0), (10.0, 1e9))


def alarms(fires: np.ndarray, since: int = WARM_UP_DAYS * DAY) -> list[int]:
    """Buckets at which an alarm begins, out of those at which the rule fires."""
    found: list[int] = []
    last = -JOIN
    for at in np.flatnonzero(fires).tolist():
        if at - last >= JOIN and at >= since:
            found.append(at)
        last = at
    return found


def score(all_series: Sequence[Series], fires: np.ndarray) -> dict[str, Any]:
    """Recall in parts, precision, delay in buckets, false alarms and distractor alarms over all series."""
    surges: list[tuple[Event, float, int | None]] = []
    distractors = distractor_alarms = false = true = 0
    for series, firing in zip(all_series, fires, strict=True):
        found = alarms(firing)
        real = [event for event in series.events if event.is_negative]
        distractors += len(series.events) - len(real)
        for event in real:
            hit = next((at for at in found if covers(event, at)), None)
            if event.extra >= FEWEST_EXTRA:
                surges.append((event, series.base, None if hit is None else hit - event.start))
        for at in found:
            if any(covers(event, at) for event in real):
                true += 1
            else:
                false += 1
                distractor_alarms += any(covers(event, at) for event in series.events)
    delays = [delay for _, _, delay in surges if delay is not None]
    buckets = sum(len(series.totals) - WARM_UP_DAYS * DAY for series in all_series)
    return {
        "series": len(all_series),
        "surges": len(surges),
        "recall": share([delay is not None for _, _, delay in surges]),
        "recall_20": share([delay is not None for event, _, delay in surges if event.extra >= 20]),
        "recall_by_factor": {
            factor: share([delay is not None for event, _, delay in surges if event.factor == factor])
            for factor in (2, 3, 5, 10)
        },
        "recall_by_volume": {
            f"{low:g} to {high:g}": share([delay is not None for _, base, delay in surges if low <= base < high])
            for low, high in VOLUMES
        },
        "precision": true / (true + false) if true + false else None,
        "delay_median": median(delays) if delays else None,
        "delay_p90": quantiles(delays, n=10)[-1] if len(delays) > 1 else None,
        "false_per_series_day": false / (buckets / DAY),
        "distractor_share": distractor_alarms / max(1, distractors),
    }


def covers(event: Event, at: int) -> bool:
    """Whether an alarm at this bucket is of this event."""
    return event.start <= at <= event.end + GRACE


def share(hits: list[bool]) -> float | None:
    """The part that is true; None of nothing."""
    return sum(hits) / len(hits) if hits else None
