"""Secrets that the console makes for itself and every process of it shares."""

import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import app_secret

SIGNING = "signing"


def signing_secret(connection: Connection) -> bytes:
    """What links are signed with; made on first use."""
    new = {"name": SIGNING, "value": secrets.token_bytes(32)}
    connection.execute(insert(app_secret).values(new).on_conflict_do_nothing())
    return bytes(connection.execute(select(app_secret.c.value).where(app_secret.c.name == SIGNING)).scalar_one())
