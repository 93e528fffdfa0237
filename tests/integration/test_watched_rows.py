"""Held-out texts know which watchlists watch them."""

from sqlalchemy import text

from core.watchlists import Watchlist
from models.datasets import LabelledText
from opinion.watched_rows import watched
from storage import watchlists
from storage.engine import connect


def test_rows_get_the_names_of_what_watches_them(database_url: str) -> None:
    """As the workers match; one that is not active or cannot be used matches nothing and stops nothing."""
    engine = connect(database_url)
    try:
        with engine.begin() as connection:
            lists = [
                Watchlist("bank", any=("银行",)),
                Watchlist("tea", any=("tea",), langs=("en",)),
                Watchlist("x", any=("tea",)),
            ]
            watchlists.put(connection, [*lists, Watchlist("broken", any=("tea",))], by="test")
            watchlists.remove(connection, "x", by="test")
            connection.execute(text("UPDATE watchlist SET definition = '{\"any\": 7}' WHERE name = 'broken'"))
            rows = [
                LabelledText("银行的 tea", lang="en"),
                LabelledText("tea", lang="zh"),
                LabelledText("tea", lang=None),
            ]
            assert [row.watchlists for row in watched(connection, rows)] == [("bank", "tea"), (), ()]
    finally:
        engine.dispose()
