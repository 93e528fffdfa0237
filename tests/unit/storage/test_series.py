"""Buckets of a chart: how long, and where they begin."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.series import MOST_POINTS, STEPS, Span, buckets_of, choose_step

SHANGHAI = ZoneInfo("Asia/Shanghai")
PLENTY = 10_000_000


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(hours=1), timedelta(minutes=1)),
        (timedelta(hours=6), timedelta(minutes=5)),
        (timedelta(hours=24), timedelta(minutes=5)),
        (timedelta(days=7), timedelta(hours=1)),
        (timedelta(days=365 * 9), timedelta(days=30)),
    ],
)
def test_a_range_gets_the_finest_step_that_fits(length: timedelta, step: timedelta) -> None:
    """A chart has room for some 300 points, however long the range."""
    assert choose_step(length, PLENTY) == step
    assert length / step <= MOST_POINTS


def test_few_documents_get_coarser_buckets() -> None:
    """600 documents of a day are shown by the hour: a share of two documents says nothing."""
    assert choose_step(timedelta(hours=24), 600) == timedelta(hours=1)


def test_even_an_empty_range_keeps_enough_buckets_to_show_when() -> None:
    """Coarsening stops before the chart is one bar."""
    for length in (timedelta(hours=1), timedelta(days=1), timedelta(days=7)):
        assert length / choose_step(length, 0) >= 24
    assert choose_step(timedelta(minutes=3), 0) == STEPS[0]


def test_days_begin_at_local_midnight_and_weeks_on_monday() -> None:
    """A bar called 10 March holds what people there call 10 March."""
    span = Span(datetime(2026, 3, 10, 3, tzinfo=UTC), datetime(2026, 3, 12, 3, tzinfo=UTC))
    days = buckets_of(span, timedelta(days=1), SHANGHAI)
    assert [at.isoformat() for at in days.starts] == [f"2026-03-{day}T00:00:00+08:00" for day in (10, 11, 12)]
    weeks = buckets_of(span, timedelta(days=7), SHANGHAI)
    assert [at.isoformat() for at in weeks.starts] == ["2026-03-09T00:00:00+08:00"]


def test_buckets_cover_the_span_and_no_more() -> None:
    """No document of the span is left out, and no whole bucket lies outside it."""
    span = Span(datetime(2026, 3, 10, 11, 58, tzinfo=UTC), datetime(2026, 3, 10, 12, 10, tzinfo=UTC))
    made = buckets_of(span, timedelta(minutes=5), SHANGHAI)
    assert len(made.starts) == 3
    assert made.span.start <= span.start < made.span.start + made.step
    assert made.span.end - made.step < span.end <= made.span.end
