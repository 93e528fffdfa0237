"""One way to reach PostgreSQL."""

from typing import Any, Final

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url

from core.errors import ConfigError

# libpq's: an idle session of a server that vanished, or one that waits for its answer, fails within half a minute.
NOTICE_LOSS: Final[dict[str, Any]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def database_url(url: str) -> URL:
    """A URL as people write it, for the psycopg 3 driver.

    Raises:
        ConfigError: it is not a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise ConfigError("OPINION_DATABASE_URL is not a URL", remedy="postgresql://user@host/database") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigError(f"OPINION_DATABASE_URL speaks {parsed.get_backend_name()}; only PostgreSQL is supported")
    return parsed.set(drivername="postgresql+psycopg")


def connect(url: str, *, pool_size: int = 4) -> Engine:
    """An engine; opens no connection yet. Connections are checked before use, so a restart heals itself."""
    return create_engine(
        database_url(url),
        pool_size=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 5,
            "application_name": "opinion",
            "options": "-c timezone=UTC -c jit=off",  # compiling takes longer than any of our queries
            **NOTICE_LOSS,
        },
    )
