"""The zone of local days, where SQL finds it: the setting `timezone` as one row."""

from sqlalchemy import Connection, update

from storage.tables import reporting_zone


def keep(connection: Connection, zone: str) -> None:
    """From now on local days in SQL are those of this zone, an IANA name."""
    connection.execute(update(reporting_zone).where(reporting_zone.c.zone != zone).values(zone=zone))
