"""What a chart shows, read in one transaction: counts over time, what was expected of them, and what happened."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.detection.detectors import DetectorOptions
from alerts.detection.expecting import warm_up
from alerts.detection.rules import Dimension
from alerts.reasons.expectation import Expectation, Known, Unknown, expect, find_known
from alerts.rulebook.merging import rulebook
from storage import model_periods
from storage.model_switches import switches
from storage.queries import Incident, freshness, incidents
from storage.series import Buckets, Filters, Line, Span, breakdown, buckets_of, choose_step, lines, total
from storage.voices import voices
from web.view import WEEK, View, Window, window_of

LINES = 5  # more lines in one chart cannot be told apart
VOICES_BELOW = timedelta(hours=1)  # longer buckets are taken from what the chart shows, with every copy in it


@dataclass(frozen=True, slots=True)
class ModelMark:
    """From here on another model judged.

    Attributes:
        factor: how many negatives it finds where the one before finds one; None: not known.
    """

    at: datetime
    version: str
    before: str | None
    factor: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts over event time: everything together, and the largest groups one by one.

    Attributes:
        expected: what the detector expects of everything together; None: `unexpected` says why.
        voices: negative documents by bucket that are nobody's copy, which is what `expected` is about; None: it is
            about every copy, since the buckets are long, or there is nothing expected.
        compared: everything together a week before, bucket for bucket; None: it was not asked for, or a bucket is
            longer than a week.
        models: changes of the model, oldest first.
    """

    window: Window
    step_seconds: int
    starts: list[datetime]
    everything: Line
    groups: list[Line]
    incidents: list[Incident]
    expected: Expectation | None
    unexpected: Unknown | None
    voices: list[int] | None
    compared: Line | None
    models: list[ModelMark]


def read_chart(connection: Connection, view: View, now: datetime, zone: ZoneInfo, detector: DetectorOptions) -> Chart:
    """The lines of the overview's and an incident's charts.

    Args:
        detector: how the scheduler judges.
    """
    window = window_of(view, freshness(connection), now, zone)
    documents = total(connection, window.span, view.filters).total
    buckets = buckets_of(window.span, choose_step(window.span.length, documents), zone)
    keys = [group.key for group in breakdown(connection, window.span, view.by, view.filters, limit=LINES)]
    (everything,) = lines(connection, buckets, zone, filters=view.filters)
    known = find_known(
        connection,
        rulebook(connection).rules.values(),
        scope_of(view.filters),
        buckets.step,
        window.span.end,
        detector,
    )
    expected, of_voices = None, None
    if isinstance(known, Known):
        expected, of_voices = _expected(connection, known, detector, buckets, zone, view, everything)
    return Chart(
        window=window,
        step_seconds=int(buckets.step.total_seconds()),
        starts=buckets.starts,
        everything=everything,
        groups=lines(connection, buckets, zone, filters=view.filters, by=view.by, keys=keys),
        incidents=incidents(connection, span=window.span),
        expected=expected,
        unexpected=None if isinstance(known, Known) else known,
        voices=of_voices,
        compared=_week_before(connection, buckets, zone, view),
        models=read_marks(connection, window.span, view.source),
    )


def _expected(
    connection: Connection,
    known: Known,
    detector: DetectorOptions,
    buckets: Buckets,
    zone: ZoneInfo,
    view: View,
    everything: Line,
) -> tuple[Expectation, list[int] | None]:
    """What is expected of the buckets, and their voices if it is about those."""
    step = buckets.step
    warming = warm_up(detector, step) // step
    before = Buckets(step, [buckets.starts[0] - nth * step for nth in range(warming, 0, -1)])
    whole = Buckets(step, [*before.starts, *buckets.starts])
    shown = len(buckets.starts)
    if step < VOICES_BELOW:
        counts = voices(connection, whole, scope_of(view.filters))
        found = expect(known, detector, whole.starts, step, counts, shown)
        return found, [negative for negative, _ in counts[-shown:]]
    (earlier,) = lines(connection, before, zone, filters=view.filters)
    counts = [
        *zip(earlier.negative, earlier.total, strict=True),
        *zip(everything.negative, everything.total, strict=True),
    ]
    return expect(known, detector, whole.starts, step, counts, shown), None


def scope_of(filters: Filters) -> dict[Dimension, str]:
    """The same in the detector's words."""
    named: dict[Dimension, str | None] = {
        "topic": filters.topic,
        "source": filters.source,
        "lang": filters.language,
        "watchlist": filters.watchlist,
    }
    return {name: value for name, value in named.items() if value is not None}


def read_marks(connection: Connection, span: Span, source: str | None) -> list[ModelMark]:
    """Changes of the model in the span: where the detector saw them in the counts of this source or of all, and
    promotions that it has not seen there (yet)."""
    clock = "all" if source is None else f"source={source}"
    seen = switches(connection, span.start, span.end, clock=clock)
    marks = [ModelMark(one.at, one.new_version, one.old_version, one.factor) for one in seen]
    known = {one.version for one in marks}
    for period in model_periods.begun(connection, span):
        if period.version not in known:
            marks.append(ModelMark(period.live_from, period.version, None, None))
    return sorted(marks, key=lambda one: (one.at, one.version))


def _week_before(connection: Connection, buckets: Buckets, zone: ZoneInfo, view: View) -> Line | None:
    if view.compare is None or buckets.step > WEEK:
        return None
    then = Buckets(buckets.step, [at - WEEK for at in buckets.starts])
    (line,) = lines(connection, then, zone, filters=view.filters)
    return line
