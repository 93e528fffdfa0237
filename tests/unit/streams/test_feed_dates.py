"""Times as feeds write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.sources.feed_dates import feed_time

CHINA, CHICAGO = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Chicago")
NOON_IN_CHINA = datetime(2026, 3, 2, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 02 Mar 2026 12:00:00 +0800", "Mon, 02 Mar 2026 04:00:00 GMT", "Mon, 02 Mar 2026 04:00:00 Z",
        "Mon, 02 Mar 2026 12:00:00", "Mon, 02 Mar 2026 12:00:00 CST", "2 Mar 2026 04:00 -0000",
        "2026-03-02T12:00:00+08:00", "2026-03-02T04:00:00.123Z", "2026-03-02 12:00:00", "2026-03-02 12:00",
        "2026/03/02 12:00", "2026.3.2 12:00", "2026年3月2日 12:00", "2026年03月02日 12时00分00秒",
        "Mon Mar 2 12:00:00 CST 2026", "Sun, 01 Mar 2026 23:00:00 EST",
    ],
)  # fmt: skip
def test_the_same_moment_in_many_ways(text: str) -> None:
    """Without a zone it is that of the settings, and CST is China's there."""
    assert feed_time(text, CHINA) == NOON_IN_CHINA


def test_cst_is_the_one_of_the_zone() -> None:
    """In Chicago the same letters mean six hours behind."""
    assert feed_time("Mon, 02 Mar 2026 12:00:00 CST", CHICAGO) == datetime(2026, 3, 2, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-40", "Mon, 99 Foo 2026", "0000-00-00 00:00:00", "1" * 5000, "2026-03-02T25:00",
     "9999-12-31 23:59:59 -1200",
     "2026-03-02 12:00 +9999", "Mon, 01 Jan 0001 00:00:00 +0000"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    """Rather no time than a wrong one: an absent time becomes that of the record."""
    assert feed_time(text, CHINA) is None
