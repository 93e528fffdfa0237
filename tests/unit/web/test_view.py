"""The query string, and the event time it stands for."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from storage.queries import Freshness
from storage.series import Span
from web.view import DocumentsView, View, compared_span, window_of

NOW = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
LIVE = Freshness(NOW - timedelta(days=30), NOW.replace(second=0), NOW)
OLD = Freshness(datetime(2015, 8, 1, tzinfo=UTC), datetime(2015, 8, 6, 20, 5, tzinfo=UTC), NOW)


def test_a_range_over_live_data_ends_with_the_present_minute() -> None:
    """While documents arrive, `1h` is the last hour of the clock."""
    window = window_of(View(range="1h"), LIVE, NOW, SHANGHAI)
    assert window.span.end == datetime(2026, 3, 10, 12, 1, tzinfo=UTC)
    assert window.span.length == timedelta(hours=1)
    assert not window.is_historic


def test_a_range_over_old_data_ends_with_the_newest_document_and_says_so() -> None:
    """Imported history is shown at once instead of an empty chart of today."""
    window = window_of(View(range="24h"), OLD, NOW, SHANGHAI)
    assert window.span.end == datetime(2015, 8, 6, 20, 6, tzinfo=UTC)
    assert window.is_historic


def test_all_reaches_from_the_first_document_to_the_last() -> None:
    """`all` leaves nothing out, also not what a crawler dated into the future."""
    future = Freshness(OLD.oldest_bucket_at, NOW.replace(second=0) + timedelta(hours=3), NOW)
    window = window_of(View(range="all"), future, NOW, SHANGHAI)
    assert window.span.start == future.oldest_bucket_at
    assert window.span.end == future.newest_bucket_at + timedelta(minutes=1)  # type: ignore[operator]


def test_an_empty_database_still_has_a_window() -> None:
    """The first start shows a page, not an error."""
    window = window_of(View(range="all"), Freshness(None, None, None), NOW, SHANGHAI)
    assert window.span.length == timedelta(hours=24)
    assert not window.is_historic


def test_times_without_a_zone_are_local() -> None:
    """A hand-written `from` is meant in the configured zone."""
    window = window_of(View.model_validate({"from": "2026-03-10T18:00"}), LIVE, NOW, SHANGHAI)
    assert window.span.start == datetime(2026, 3, 10, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"),
        ("2026-03-10T12:00", "2020-01-01"),
        (None, "1999-01-01"),
    ],
)
def test_absolute_times_never_reach_beyond_the_data(start: str | None, end: str) -> None:
    """No query string makes a chart of endless empty buckets, or one that ends before it begins."""
    span = window_of(View.model_validate({"from": start, "to": end}), LIVE, NOW, SHANGHAI).span
    assert LIVE.oldest_bucket_at is not None
    assert LIVE.oldest_bucket_at <= span.start < span.end
    assert span.end <= NOW + timedelta(minutes=1)


def test_links_carry_the_state_and_drop_what_is_unset() -> None:
    """The address stays short and can be written by hand."""
    view = View(range="7d", topic="finance")
    assert view.url("/", by="source") == "/?range=7d&topic=finance&by=source"
    assert view.url("/", topic=None) == "/?range=7d"
    assert View().url("/") == "/"
    assert DocumentsView(source="a&b=c").url("/documents") == "/documents?source=a%26b%3Dc"


def test_a_form_that_says_any_filters_nothing() -> None:
    """Browsers send an empty value for a select that is left alone."""
    view = DocumentsView.model_validate({"topic": "", "sentiment": "", "from": "", "before": ""})
    assert view.filters.given() == []
    assert view.sentiment is None
    assert not view.is_absolute


def test_nul_is_refused_before_postgresql_sees_it() -> None:
    """PostgreSQL's text cannot hold NUL; the reader is told, not the log."""
    with pytest.raises(ValidationError, match="NUL"):
        View(topic="a\x00b")


def test_links_are_short_enough_to_write_by_hand() -> None:
    """Times as a person writes them, nothing that is so anyway."""
    asked = {"from": "2026-03-01T08:30", "to": "2026-03-02T00:00:00+00:00", "compare": "week", "by": "topic"}
    view = View.model_validate(asked)
    assert view.url("/") == "/?from=2026-03-01T08:30&to=2026-03-02T00:00Z&compare=week"
    assert view.fields("compare") == [("from", "2026-03-01T08:30"), ("to", "2026-03-02T00:00Z")]
    assert View.model_validate({"from": "2026-03-01"}).url("/") == "/?from=2026-03-01T00:00"


def test_a_number_leads_to_the_documents_that_it_counts() -> None:
    """The same range and filters, and no part of the state that a list of documents has no use for."""
    view = View(by="source", compare="week", watchlist="Acme")
    assert view.documents(sentiment="negative") == "/documents?watchlist=Acme&range=24h&sentiment=negative"
    absolute = View.model_validate({"from": "2026-03-01", "topic": "finance"})
    assert absolute.documents() == "/documents?from=2026-03-01T00:00&topic=finance"


def test_what_a_span_is_compared_with() -> None:
    """As long before, or the same time a week earlier."""
    span = Span(NOW - timedelta(hours=6), NOW)
    assert compared_span(View(), span).end == span.start
    assert compared_span(View(compare="week"), span) == Span(span.start - timedelta(days=7), NOW - timedelta(days=7))
