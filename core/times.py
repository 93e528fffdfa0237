"""Reading the times that files and crawlers write."""

from datetime import UTC, datetime, tzinfo


def parse_time(value: object, zone: tzinfo) -> datetime:
    """An aware UTC time from ISO 8601 text, a bare date, or seconds since the epoch.

    Args:
        zone: where a bare date begins and what a time without an offset means.

    Raises:
        ValueError: it is none of these; the message shows what came.
    """
    if isinstance(value, datetime):
        parsed = value
    elif isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"not a time: {value[:40]!r}") from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            parsed = datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"not a time: {value!r}") from None
    else:
        raise ValueError(f"not a time: {value!r:.40}")
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zone)
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"not a time: {value!r:.40}") from None
