"""Which search indexes are built, merged, used and dropped."""

from datetime import UTC, datetime, timedelta

from storage.search_slices import LARGEST, Slice, cover, month_of, next_merge, next_stretch, obsolete
from storage.series import Span

DAY = timedelta(days=1)
MAY = month_of(2024, 5)


def part(first: int, last: int, documents: int = 100, *, is_valid: bool = True) -> Slice:
    """An index over days of May, numbered from 0."""
    span = Span(MAY.start + first * DAY, MAY.start + last * DAY)
    return Slice(f"{first}-{last}", "document_y2024m05", span, documents, is_valid)


def test_december_ends_with_the_year() -> None:
    """The month after December is January of the next year."""
    assert month_of(2024, 12).end == datetime(2025, 1, 1, tzinfo=UTC)


def test_a_span_is_covered_by_the_largest_indexes_and_gaps() -> None:
    """Pieces follow each other without gap or overlap, the newest first; what is half built is not used."""
    slices = [part(0, 5), part(5, 8), part(0, 8), part(10, 12), part(12, 14, is_valid=False)]
    span = Span(MAY.start + 2 * DAY, MAY.start + 14 * DAY)
    pieces = cover(slices, span)
    days = [((piece.start - MAY.start).days, (piece.end - MAY.start).days) for piece, _ in pieces]
    assert days == [(12, 14), (10, 12), (8, 10), (2, 8)]
    assert [index for _, index in pieces] == [None, slices[3].span, None, slices[2].span]


def test_without_indexes_everything_is_a_gap() -> None:
    """A new system is searched as a whole."""
    assert cover([], MAY) == [(MAY, None)]


def test_what_a_larger_index_holds_is_obsolete() -> None:
    """After a merge the small ones go, and so does what was left half built."""
    slices = [part(0, 5), part(5, 8), part(0, 8), part(8, 9, is_valid=False)]
    assert [one.name for one in obsolete(slices)] == ["0-5", "5-8", "8-9"]


def test_eight_small_neighbours_become_one() -> None:
    """An open month keeps few indexes, however many documents come."""
    small = [part(day, day + 1) for day in range(8)]
    assert next_merge(small[:7], 100, is_complete=False) is None
    assert next_merge(small, 100, is_complete=False) == Span(MAY.start, MAY.start + 8 * DAY)
    large = [part(0, 8, 800), *(part(day, day + 1) for day in range(8, 16))]
    assert next_merge(large, 100, is_complete=False) == Span(MAY.start + 8 * DAY, MAY.start + 16 * DAY)


def test_a_closed_month_ends_with_large_indexes() -> None:
    """Neighbours are joined until the next would make one too large to read all hits of."""
    slices = [part(0, 5, LARGEST // 2), part(5, 10, LARGEST // 2), part(10, 15, LARGEST // 2), part(15, 31, 10)]
    assert next_merge(slices, 100, is_complete=True) == Span(MAY.start, MAY.start + 10 * DAY)
    merged = [part(0, 10, LARGEST), part(10, 31, LARGEST // 2)]
    assert next_merge(merged, 100, is_complete=True) is None


def test_a_long_stretch_is_cut_at_a_minute() -> None:
    """An imported month is indexed in pieces of a bounded size."""
    minutes = [(MAY.start + n * timedelta(minutes=1), LARGEST // 2) for n in range(4)]
    span, documents = next_stretch(minutes, MAY.start, MAY.end)
    assert (span.end - span.start, documents) == (timedelta(minutes=2), LARGEST)
    assert next_stretch(minutes[:1], MAY.start, MAY.end) == (MAY, LARGEST // 2)
