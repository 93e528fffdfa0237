"""The reference pages say what the code says: no setting, topic, metric, command, record or view is undocumented."""

import pytest

from opinion import docs
from storage.engine import connect


@pytest.mark.parametrize("name", docs.PAGES)
def test_page_is_current(name: str) -> None:
    """A page made from the code is what `make docs` would write now."""
    assert (docs.REFERENCE / name).read_text(encoding="utf-8") == docs.PAGES[name](), "run `make docs`"


def test_sql_page_is_current(database_url: str) -> None:
    """The SQL page is what the COMMENTs of a migrated database say."""
    engine = connect(database_url)
    with engine.connect() as connection:
        page = docs.sql_page(connection)
    engine.dispose()
    assert (docs.REFERENCE / "sql.md").read_text(encoding="utf-8") == page, "run `make docs`"


@pytest.mark.parametrize("name", ["settings.md", "metrics.md"])
def test_nothing_goes_unexplained(name: str) -> None:
    """Every setting and metric has a sentence of its own."""
    rows = [line for line in docs.PAGES[name]().splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
