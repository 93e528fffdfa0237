"""Up to where nobody judges documents for alerts any more: older ones may be counted otherwise, and nobody is told.

The detector has learned what lies behind its cursor, and reads it no more (`alerts.detection.judging`). Its widest
window reaches back behind the cursor, though: evidence of an incident that opens now is gathered there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

EVERYTHING: Final = datetime(9999, 12, 31, tzinfo=UTC)
NOTHING: Final = datetime(1, 1, 1, tzinfo=UTC)
_OF_SOURCE: Final = "source="

# A clock's own row says what it knows of its series; the rows of series do not.
_CLOCKS: Final = text("""
    SELECT series, cursor_at, CAST(state ->> 'bucket_seconds' AS float) AS bucket_seconds
    FROM detector_state
    WHERE (series = 'all' OR starts_with(series, 'source=')) AND state ? 'last_active_at'
""")
_HAS_JUDGED: Final = text("SELECT EXISTS (SELECT FROM detector_state)")
_FIRING: Final = text("""
    SELECT min(starts_at) FROM incident WHERE status = 'firing' AND labels ->> 'alertname' = ANY (:alerts)
""")


@dataclass(frozen=True)
class Settled:
    """Documents published before these times are settled.

    Attributes:
        overall: of any source.
        by_source: of one; of a source that is not named, nothing is, unless no detector has ever judged anything.
    """

    overall: datetime = EVERYTHING
    by_source: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, source: str) -> datetime:
        """Of this source."""
        other = EVERYTHING if self.overall == EVERYTHING else NOTHING
        return min(self.overall, self.by_source.get(source, other))


def settled(connection: Connection, *, widest: Callable[[timedelta], timedelta], alerts: tuple[str, ...]) -> Settled:
    """How far each clock has come.

    Args:
        widest: by the length of a bucket, that of the widest window.
        alerts: names of the alerts that counts raise; while one is open, its documents are not settled.
    """
    ends = {
        row.series: row.cursor_at - widest(timedelta(seconds=row.bucket_seconds))
        for row in connection.execute(_CLOCKS)
    }
    if "all" not in ends:  # the first hour of a stream is judged, but nothing of it learned
        return Settled(NOTHING) if connection.scalar(_HAS_JUDGED) else Settled()
    firing = connection.scalar(_FIRING, {"alerts": list(alerts)})
    overall = min(ends.pop("all"), firing or EVERYTHING)
    return Settled(overall, {name.removeprefix(_OF_SOURCE): end for name, end in ends.items()})
