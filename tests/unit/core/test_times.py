from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.times import parse_time

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-05-01T08:00:00Z", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        ("2015-08-06T17:44:00-07:00", datetime(2015, 8, 7, 0, 44, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 4, 30, 16, tzinfo=UTC)),
        ("2024-05-01 08:00:00", datetime(2024, 5, 1, 0, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_forms_of_time(written, meant):
    """Times with a zone keep it; bare dates and times without one are read in the configured zone."""
    assert parse_time(written, SHANGHAI) == meant


@pytest.mark.parametrize("nonsense", ["gestern", "", None, True, 1e300, [], "9999-12-31T23:59:59-14:00"])
def test_nonsense_is_refused(nonsense):
    """What is no time raises ValueError and nothing else, whatever its type."""
    with pytest.raises(ValueError, match="not a time"):
        parse_time(nonsense, SHANGHAI)
