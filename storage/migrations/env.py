"""Alembic's entry point: one connection, one transaction, one migrator at a time."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine, pool, text

from storage.tables import metadata

MIGRATION_LOCK = 0x6F70_6D69  # "opmi"; any constant of our own


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Partitions are made by the writer, not by migrations."""
    return not (kind == "table" and name is not None and name.startswith(("document_y", "mention_y")))


engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(connection=connection, target_metadata=metadata, include_name=is_ours)
    context.run_migrations()
