"""What the detector expects of what a chart shows, where one of its rules watches exactly that.

Read from what it keeps: the state of the series as it stands now, and for the time of an incident the state from
before the surge, which is frozen with its evidence, so that the bounds do not bend where a surge has begun to teach.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection

from alerts.detection.baselines import SEASON_MEMORY
from alerts.detection.detectors import DetectorOptions
from alerts.detection.expecting import Bound, Expecting, sums
from alerts.detection.judgement import judgement_of
from alerts.detection.judging import clock_name, series_name
from alerts.detection.rules import Dimension, Rule, fingerprint
from alerts.reasons.chart_series import SHOWN
from storage import detector_states, judged_series
from storage.series import Buckets

LONGEST: Final = timedelta(days=1)  # of a chart's bucket: of weeks and months the detector knows nothing
SHARE_STEPS: Final = 4  # a point of the share is over so many buckets

Scope = Mapping[Dimension, str]
"""What is shown: by dimension, the one value that it has."""

Unknown = Literal["no_rule", "not_judged", "learning", "too_coarse", "too_old"]
"""Why nothing is expected: no rule watches exactly this; its series has no document yet, or the scheduler has not
judged it; it is still being learned; the buckets are longer than a day; they are older than what was learned from."""


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
        rule: whose series it is.
        learned_to: what came later has taught the detector nothing yet.
        counts: of negative independent voices.
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
        key = tuple(scope[name] for name in rule.group_by)
        labels: dict[str, str] = {name: scope[name] for name in rule.group_by}
        if rule.scope(labels) == whole:
            return rule, key
    return None


def expect(
    connection: Connection,
    rules: Iterable[Rule],
    scope: Scope,
    buckets: Buckets,
    documents: Sequence[int],
    options: DetectorOptions,
) -> Expectation | Unknown:
    """What is expected of these buckets, or why nothing is.

    Args:
        documents: by bucket.
        options: as the scheduler judges, but for what the rule says itself.
    """
    found = watching(rules, scope)
    if found is None:
        return "no_rule"
    if buckets.step > LONGEST:
        return "too_coarse"
    rule, key = found
    clock = clock_name(scope["source"] if rule.is_per_source else None)
    name = series_name(clock, rule, key)
    stored = detector_states.load(connection, [clock, name])
    if name not in stored or not _is_current(stored, clock, name, options.bucket):
        return "not_judged"
    learned = stored[name].state["detector"]
    if learned["seen_buckets"] <= options.learning or learned["seen_documents"] < options.learning_documents:
        return "learning"
    learned_to = stored[name].cursor_at
    known_from = learned_to - SEASON_MEMORY
    if buckets.span.end <= known_from:
        return "too_old"
    stretches = judged_series.judged_stretches(connection, fingerprint(rule.labels(key)), buckets.span, SHOWN)
    now = _Part(known_from, None, _expecting(learned, buckets, options))
    parts = [now, *(part for one in stretches if (part := _part_of(one, buckets)))]
    windows = sums(documents, SHARE_STEPS)
    of_buckets = [_at(parts, at) for at in buckets.starts]
    return Expectation(
        rule=rule.name,
        learned_to=learned_to,
        counts=_bounds(one and one.count(at) for one, at in zip(of_buckets, buckets.starts, strict=True)),
        shares=_bounds(one and one.share(count) for one, count in zip(of_buckets, windows, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    start: datetime
    end: datetime | None
    says: Expecting


def _is_current(
    stored: Mapping[str, detector_states.StoredState], clock: str, name: str, bucket: timedelta
) -> bool:
    """Whether the series goes with its clock, and both with the bucket length that the settings say."""
    if clock not in stored or stored[clock].state["bucket_seconds"] != bucket.total_seconds():
        return False
    return stored[name].cursor_at == stored[clock].cursor_at


def _expecting(learned: Mapping[str, Any], buckets: Buckets, options: DetectorOptions) -> Expecting:
    return Expecting(learned, options.bucket, buckets.step, SHARE_STEPS)


def _part_of(stretch: judged_series.JudgedStretch, buckets: Buckets) -> _Part | None:
    judgement = judgement_of(stretch.judgement)
    if judgement is None:
        return None
    says = _expecting(judgement.state, buckets, judgement.options)
    return _Part(stretch.starts_at - SHOWN, stretch.ends_at, says)


def _at(parts: Sequence[_Part], at: datetime) -> Expecting | None:
    """The newest incident's state where it holds, else the present one."""
    for part in reversed(parts):
        if part.start <= at and (part.end is None or at < part.end):
            return part.says
    return None


def _bounds(found: Iterable[Bound | None]) -> Bounds:
    bounds = list(found)
    return Bounds(
        [one and round(one.expected, 4) for one in bounds],
        [one and round(one.lower, 4) for one in bounds],
        [one and round(one.upper, 4) for one in bounds],
    )
