"""Local days in SQL are those of the configured zone."""

from sqlalchemy import text

from core.settings import Settings
from opinion.servers import upgrade_schema
from storage.engine import connect

LOCAL_DAY = text(
    "SELECT (timestamptz '2026-03-01 20:00+00' AT TIME ZONE (SELECT zone FROM reporting_zone))::date::text"
)


def test_the_zone_follows_the_setting(database_url: str) -> None:
    """A day of an analyst in Shanghai is not one of London; a changed setting holds from the next start on."""
    engine = connect(database_url)
    for zone, day in (("Asia/Shanghai", "2026-03-02"), ("Europe/London", "2026-03-01")):
        upgrade_schema(Settings(timezone=zone), database_url)
        with engine.connect() as connection:
            assert connection.scalar(LOCAL_DAY) == day
    engine.dispose()
