"""Backfills that the console starts, as processes of their own."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.watchlists import Watchlist
from opinion.backfill_runs import BackfillRuns
from storage import watchlists
from storage.engine import connect
from tests.support.records import row, says
from tests.support.rows import store_rows
from tests.support.waiting import wait_for


def test_a_backfill_is_started_and_ends(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The real command: what is no longer mentioned is taken away, whatever the watchlist is called."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path_factory.mktemp("home"))
    engine = connect(database_url)
    with engine.begin() as connection:
        watchlists.put(connection, [Watchlist("--苹果", any=("苹果",))], by="li")
        # so long ago that every worker has followed
        connection.execute(text("UPDATE watchlist SET updated_at = now() - interval '1 hour'"))
    store_rows(engine, [row("d1", text="香蕉", mentions=[says("--苹果")])])
    runs = BackfillRuns()
    try:
        runs.start("--苹果", datetime.now(UTC) - timedelta(days=3650))
        assert runs.of("other") is None
        wait_for(lambda: (run := runs.of("--苹果")) is not None and run.state == "done", 120, "the backfill")
        done = runs.of("--苹果")
        assert done is not None
        assert "1 documents read, 0 mentions added, 1 removed" in done.said
    finally:
        runs.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM mention")) == 0
    engine.dispose()
