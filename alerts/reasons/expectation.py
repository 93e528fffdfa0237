"""What the detector expects of what a chart shows, where one of its rules watches exactly that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection

from alerts.detection.baselines import SEASON_MEMORY
from alerts.detection.detectors import DetectorOptions
from alerts.detection.expecting import Bound, follow
from alerts.detection.judging import clock_name, series_name
from alerts.detection.rules import Dimension, Rule
from storage import detector_states
from storage.detector_states import StoredState

LONGEST: Final = timedelta(hours=4)  # of a chart's bucket: the detector judges nothing longer
SHARE_STEPS: Final = 4  # a point of the share is over so many buckets

Scope = Mapping[Dimension, str]
"""What is shown: by dimension, the one value that it has."""

Unknown = Literal["no_rule", "not_judged", "learning", "too_coarse", "too_old"]
"""Why nothing is expected: no rule watches exactly this; its series has no document yet, or the scheduler has not
judged it; it is still being learned; the buckets are longer than what the detector judges; they are older than what
it remembers."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the detector has learned of a series.

    Attributes:
        rule: whose series it is.
        learned_to: what came later has taught the detector nothing yet.
    """

    rule: str
    learned_to: datetime
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bucket by bucket; None where nothing is known."""

    expected: list[float | None]
    lower: list[float | None]
    upper: list[float | None]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a chart.

    Attributes:
        counts: of the negatives of each bucket.
        shares: of the negatives among the documents of this bucket and the `share_steps` - 1 before it.
    """

    rule: str
    learned_to: datetime
    counts: Bounds
    shares: Bounds
    share_steps: int = SHARE_STEPS


def watching(rules: Iterable[Rule], scope: Scope) -> tuple[Rule, tuple[str, ...]] | None:
    """The first rule over negatives of which one series counts exactly this, and the key of that series."""
    whole = {name: (value,) for name, value in scope.items()}
    for rule in rules:
        if not rule.is_enabled or rule.counted != "negative" or not set(rule.group_by) <= scope.keys():
            continue
        labels: dict[str, str] = {name: scope[name] for name in rule.group_by}
        if rule.scope(labels) == whole:
            return rule, tuple(labels.values())
    return None


def find_known(
    connection: Connection,
    rules: Iterable[Rule],
    scope: Scope,
    step: timedelta,
    end: datetime,
    options: DetectorOptions,
) -> Known | Unknown:
    """What the detector has learned of this scope, or why it says nothing of buckets of this length up to `end`.

    Args:
        options: as the scheduler judges, but for what the rule says itself.
    """
    found = watching(rules, scope)
    if found is None:
        return "no_rule"
    if step > LONGEST:
        return "too_coarse"
    rule, key = found
    clock = clock_name(scope["source"] if rule.is_per_source else None)
    name = series_name(clock, rule, key)
    stored = detector_states.load(connection, [clock, name])
    if name not in stored or not _is_current(stored, clock, name, options.bucket):
        return "not_judged"
    state = stored[name].state["detector"]
    if state["seen_buckets"] <= options.learning or state["seen_documents"] < options.learning_documents:
        return "learning"
    learned_to = stored[name].cursor_at
    return "too_old" if end <= learned_to - SEASON_MEMORY else Known(rule.name, learned_to, state)


def expect(
    known: Known,
    options: DetectorOptions,
    starts: Sequence[datetime],
    step: timedelta,
    counts: Sequence[tuple[int, int]],
    shown: int,
) -> Expectation:
    """What is expected of the last `shown` of these buckets; the others warm up.

    Args:
        counts: negatives and documents of each.
    """
    found = list(follow(known.state, options, starts, step, counts, SHARE_STEPS))[-shown:]
    return Expectation(
        known.rule,
        known.learned_to,
        _bounds([one.count for one in found]),
        _bounds([one.share for one in found]),
    )


def _is_current(stored: Mapping[str, StoredState], clock: str, name: str, bucket: timedelta) -> bool:
    """Whether the series goes with its clock, and both with the bucket length that the settings say."""
    if clock not in stored or stored[clock].state["bucket_seconds"] != bucket.total_seconds():
        return False
    return stored[name].cursor_at == stored[clock].cursor_at


def _bounds(found: Sequence[Bound | None]) -> Bounds:
    return Bounds(
        [None if one is None else round(one.expected, 4) for one in found],
        [None if one is None else round(one.lower, 4) for one in found],
        [None if one is None else round(one.upper, 4) for one in found],
    )
