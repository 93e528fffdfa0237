"""The scheduler's job that lets old documents go; see `storage.retention` for how."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from storage import copies, copy_retention, retention

log = get_logger(__name__)

ROWS: Final = 5000  # in one transaction: a fraction of a second


def retention_job(settings: Settings, engine: Engine, clock: Clock) -> Callable[[Callable[[], bool]], None]:
    """Does nothing where documents are kept."""
    keep = settings.retention.documents

    def run(should_stop: Callable[[], bool]) -> None:
        if keep is not None:
            drop_expired(engine, clock, keep, should_stop, settings.copies.window.days)

    return run


def drop_expired(
    engine: Engine,
    clock: Clock,
    keep: timedelta,
    should_stop: Callable[[], bool],
    copy_window_days: int = copies.WINDOW_DAYS,
) -> int:
    """Drop whole months of documents older than `keep`; returns how many months are gone. What finds no moment
    between the readers and writers is left for the next run."""
    try:
        with engine.begin() as connection:
            before = retention.expire(connection, retention.month_of(clock.now() - keep))
        with engine.connect() as connection:
            months = retention.expired_months(connection, before)
        for month in months:
            after: str | None = ""
            while after is not None and not should_stop():
                with engine.begin() as connection:
                    after = retention.forget_keys(connection, month, after, ROWS)
        has_more = bool(months)
        while has_more and not should_stop():
            with engine.begin() as connection:
                has_more = retention.forget_history(connection, before, ROWS)
        has_more = True
        while has_more and not should_stop():
            with engine.begin() as connection:
                has_more = copy_retention.forget_before(connection, before, window_days=copy_window_days)
        dropped = 0
        for month in months:
            if should_stop():
                break
            with engine.begin() as connection:
                retention.drop_month(connection, month)
            dropped += 1
            log.info("month_dropped", month=f"{month:%Y-%m}")
        return dropped
    except OperationalError as error:
        if "lock timeout" not in str(error):
            raise
        log.info("retention_waits", reason="documents are being read or written all the time; tried again later")
        return 0
