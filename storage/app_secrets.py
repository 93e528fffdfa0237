"""Keys that this installation keeps for itself: made at first use, the same for all its processes."""

import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import app_secret

SECRET_BYTES = 32
SIGNING = "signing"  # of links and of cookies that hold no session


def secret(connection: Connection, name: str = SIGNING) -> bytes:
    """The key of this name, 256 random bits."""
    made = insert(app_secret).values(name=name, secret=secrets.token_bytes(SECRET_BYTES))
    connection.execute(made.on_conflict_do_nothing())
    return bytes(connection.scalars(select(app_secret.c.secret).where(app_secret.c.name == name)).one())
