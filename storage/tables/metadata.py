"""What every table is made of."""

from sqlalchemy import Column, DateTime, Integer, MetaData, func, text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)


def timestamp(name: str, *, nullable: bool = False, is_now: bool = False) -> Column[object]:
    """A `timestamptz` column; with `is_now` the database fills in the transaction's time."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=func.now() if is_now else None)


def json_object(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'"))


def count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))
