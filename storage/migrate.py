"""Bring a database to the newest schema, or one step back."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage.engine import connect, database_url

MIGRATIONS = Path(__file__).parent / "migrations"


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = database_url(url)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate up to `revision`; safe to call from several processes at once (an advisory lock orders them)."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Migrate down to `revision` (`base` removes everything)."""
    command.downgrade(_config(url), revision)


def revisions(url: str) -> tuple[str | None, str | None]:
    """The database's revision and the newest one; equal when nothing is to be done."""
    engine = connect(url)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return current, ScriptDirectory.from_config(_config(url)).get_current_head()


def is_newest(connection: Connection) -> bool:
    """Whether the database has the schema of this version."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head
