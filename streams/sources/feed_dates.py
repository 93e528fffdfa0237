"""The times that feeds write: RFC 822, ISO 8601, what people in China write, and many ways to leave out the zone."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz
from typing import Final

_NUMERIC: Final = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T\s]{0,3}(\d{1,2})[:时](\d{1,2})分?(?::?(\d{1,2})秒?)?(?:[.,]\d{1,12})?)?\s{0,3}(Z|z|[A-Z]{2,5}|[+-]\d\d:?\d\d)?"
)
_ZONE: Final = re.compile(r"(?<![A-Za-z\d])([+-]\d\d:?\d\d|[A-Za-z]{1,5})(?:\s{1,3}\d{4})?$")
_NO_YEAR: Final = re.compile(r"(?<![\d:+-])00\d\d(?![\d:])")  # a zero time, 1 Jan 0001, which is read as 2001
UNIVERSAL: Final = ("Z", "UT", "UTC", "GMT")
LONGEST: Final = 100


def feed_time(text: str, zone: tzinfo) -> datetime | None:
    """An aware UTC time; None when it cannot be told for sure.

    Args:
        zone: for times that name none, and for its own abbreviation: CST is China's where the zone is Asia/Shanghai.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return None
    try:
        if found := _NUMERIC.fullmatch(text):
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
            return _in_zone(datetime(year, month, day, hour, minute, second), found[7], zone, None)  # noqa: DTZ001
        parts = parsedate_tz(text)
        if parts is None or _NO_YEAR.search(text):
            return None
        name = _ZONE.search(text)
        return _in_zone(datetime(*parts[:6]), name[1] if name else None, zone, parts[9])  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None


def _in_zone(local: datetime, name: str | None, zone: tzinfo, known_offset: int | None) -> datetime:
    """Args:
    local: as on the clock there.
    known_offset: seconds, of the abbreviations of RFC 822; 0 or None for others.
    """
    at = local.replace(tzinfo=zone)
    if name is None or name.upper() == at.tzname():
        return at.astimezone(UTC)
    if name.upper() in UNIVERSAL:
        return local.replace(tzinfo=UTC)
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[-2:])
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if name[0] == "-" else 1)
        return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
    if known_offset:
        return local.replace(tzinfo=timezone(timedelta(seconds=known_offset))).astimezone(UTC)
    return at.astimezone(UTC)
