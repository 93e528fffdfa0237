"""Comments are read with their article, whichever came first."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from storage.documents import DocumentRow
from storage.engine import connect
from tests.support.records import START, row
from tests.support.rows import store_rows

MONTH = timedelta(days=31)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def said(*watchlists: str) -> list[dict[str, Any]]:
    """Mentions of these watchlists, as a document holds them."""
    scores = {"negative": 1.0, "neutral": 0.0, "positive": 0.0}
    return [
        {"watchlist": one, "mentions": 1, "sentiment": "negative", "sentiment_scores": scores} for one in watchlists
    ]


def article(**changes: Any) -> DocumentRow:
    fields = {"kind": "news", "source": "paper", "title": "Acme opens", "url": "https://example.org/1"}
    return row("paper:1", 10, **(fields | {"mentions": said("Bolt", "Acme")} | changes))


def comment(**changes: Any) -> DocumentRow:
    fields = {"kind": "comment", "parent_id": "paper:1", "text": "too late"}
    return row("forum:1", 20, **(fields | {"published_at": START + MONTH, "mentions": said("Acme")} | changes))


def rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(one) for one in connection.execute(text(query)).mappings()]


@pytest.mark.parametrize("is_late", [False, True])
def test_a_comment_knows_its_article(engine: Engine, is_late: bool) -> None:
    """Title, source, address and watchlists of the article stand beside the comment, in whatever order they came and
    though they lie in different months."""
    first, second = (comment(), article()) if is_late else (article(), comment())
    store_rows(engine, [first])
    [before] = rows(engine, "SELECT * FROM bi.comment") or [None]  # type: ignore[list-item]
    assert before is None or (before["article_id"], before["article_title"], before["article_watchlists"]) == (
        "paper:1",
        None,
        [],
    )
    store_rows(engine, [second])
    [found] = rows(engine, "SELECT * FROM bi.comment")
    assert (found["id"], found["article_id"], found["article_title"]) == ("forum:1", "paper:1", "Acme opens")
    assert (found["article_source"], found["article_url"]) == ("paper", "https://example.org/1")
    assert found["article_published_at"] == START
    assert found["article_watchlists"] == ["Acme", "Bolt"]


def test_a_mention_in_a_comment_knows_the_article(engine: Engine) -> None:
    """`bi.mention` has a row for what the comment itself names, with the article's title; none for what only the
    article names."""
    store_rows(engine, [article(), comment()])
    found = rows(engine, "SELECT watchlist, article_title FROM bi.mention WHERE kind = 'comment'")
    assert found == [{"watchlist": "Acme", "article_title": "Acme opens"}]
    found = rows(engine, "SELECT watchlist, article_title FROM bi.mention WHERE kind = 'news' ORDER BY 1")
    assert found == [{"watchlist": "Acme", "article_title": None}, {"watchlist": "Bolt", "article_title": None}]


def test_a_revised_article_changes_what_its_comments_show(engine: Engine) -> None:
    """The article is joined when it is read."""
    store_rows(engine, [article(), comment()])
    revised = article(title="Acme closes", text="y", mentions=said("Acme"), crawled_at=START + timedelta(days=1))
    store_rows(engine, [revised._replace(record_offset=30, recorded_at=START + timedelta(days=1))])
    [found] = rows(engine, "SELECT article_title, article_watchlists FROM bi.comment")
    assert found == {"article_title": "Acme closes", "article_watchlists": ["Acme"]}


def test_counting_mentions_does_not_read_articles(engine: Engine) -> None:
    """A dashboard that does not ask for the article does not pay for it."""
    plan = rows(engine, "EXPLAIN SELECT watchlist, count(*) FROM bi.mention GROUP BY 1")
    assert not any("document_key" in line["QUERY PLAN"] for line in plan)
