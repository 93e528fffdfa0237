"""The terminal charts of the demo."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from opinion.demo.chart import clock_axis, share_bars, sparkline


def test_share_fills_its_column_from_the_bottom() -> None:
    """None, half and all of ten documents give an almost empty, a half and a full column."""
    assert share_bars([0, 5, 10], [10, 10, 10], height=2) == ["  █", "▁██"]


def test_share_of_few_documents_is_a_dot() -> None:
    """One negative of two is chance, not half; nothing at all is blank."""
    assert share_bars([1, 0], [2, 0], height=2) == ["  ", "· "]


def test_sparkline_scales_to_the_largest() -> None:
    """Zero is blank, small values stay visible, the largest is a full block."""
    assert sparkline([0, 1, 100, 50]) == " ▁█▄"
    assert sparkline([0, 0]) == "  "


def test_axis_names_local_hours() -> None:
    """Hours stand under the column in which they begin, in the reader's zone."""
    starts = [datetime(2026, 3, 1, 15, 0, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(12)]
    assert clock_axis(starts, ZoneInfo("Asia/Shanghai")) == "  00:00     "
