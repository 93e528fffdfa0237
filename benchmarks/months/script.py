"""What arrives on each day of a month: how many documents, and from which domain."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from benchmarks.months.features import Rows, joined

DAY_DOCUMENTS: Final = 100
PAST_DAYS: Final = 28  # of the old domain: the reference of the first champion
DAYS: Final = 28
START: Final = datetime(2026, 3, 1, tzinfo=UTC)
GRADUAL: Final = (5, 19)  # days on which the share begins to rise, and has risen
SUDDEN_DAY: Final = 8
NEW_SHARE: Final = 0.85


@dataclass(frozen=True)
class Month:
    """A script: the domain that comes, and its share of the documents of a day (0 is the first after the past)."""

    name: str
    domain: str
    share: Callable[[int], float]


def _gradual(day: int) -> float:
    first, last = GRADUAL
    return NEW_SHARE * min(1.0, max(0.0, (day - first) / (last - first)))


MONTHS: Final = (
    Month("stationary", "weibo", lambda day: 0.0),
    Month("gradual", "stocks", _gradual),
    Month("sudden", "virus", lambda day: NEW_SHARE if day >= SUDDEN_DAY else 0.0),
)


@dataclass(frozen=True)
class Day:
    """The documents of one day, at random times of it."""

    rows: Rows
    times: list[datetime]


@dataclass(frozen=True)
class Stream:
    """A month and what was before it.

    Attributes:
        train, dev: what the old model was made of, of the old domain.
        past: `PAST_DAYS` days, unlabelled.
        days: `DAYS` days.
        unused: rows of the domain that comes which are in no day: for a model that knows it.
    """

    train: Rows
    dev: Rows
    past: list[Day]
    days: list[Day]
    unused: Rows


TRAIN, DEV, UNUSED = 4000, 500, 1800


def stream(month: Month, pools: dict[str, Rows], seed: int) -> Stream:
    """The same for the same seed; no row comes twice."""
    rng = np.random.default_rng([seed, 17])
    old = rng.permutation(len(pools["weibo"]))
    new = rng.permutation(len(pools[month.domain]))
    train, dev, old = old[:TRAIN], old[TRAIN : TRAIN + DEV], old[TRAIN + DEV :]
    days = []
    for day in range(-PAST_DAYS, DAYS):
        fresh = 0 if day < 0 or month.domain == "weibo" else int(rng.binomial(DAY_DOCUMENTS, month.share(day)))
        parts = [pools["weibo"].take(old[: DAY_DOCUMENTS - fresh])]
        old = old[DAY_DOCUMENTS - fresh :]
        if fresh:
            parts.append(pools[month.domain].take(new[:fresh]))
            new = new[fresh:]
        rows = joined(parts)
        rows = rows.take(rng.permutation(len(rows)))
        begin = START + timedelta(days=day)
        times = [begin + timedelta(days=float(at)) for at in np.sort(rng.uniform(size=len(rows)))]
        days.append(Day(rows, times))
    unused = pools[month.domain].take((old if month.domain == "weibo" else new)[:UNUSED])
    return Stream(pools["weibo"].take(train), pools["weibo"].take(dev), days[:PAST_DAYS], days[PAST_DAYS:], unused)
