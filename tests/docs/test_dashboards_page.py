"""What the page on dashboards says is what is shipped."""

import re
from pathlib import Path

import psycopg
import yaml

from tests.support.analyst_days import local
from tests.support.grafana import DASHBOARDS, Query, expanded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "build-dashboards.md").read_text(encoding="utf-8")


def test_files_and_names_are_there() -> None:
    """Every file that the page names exists; the table has the dashboards' titles, the list the data sources' ids."""
    named = set(re.findall(r"`(deploy/[\w./-]+)`", PAGE))
    assert len(named) >= 8
    assert [path for path in named if not (ROOT / path).exists()] == []
    for board in DASHBOARDS.values():
        assert f"| {board['title']} |" in PAGE
    sources = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/opinion.yml").read_text(encoding="utf-8")
    )
    assert re.findall(r"^- `(\w+)`: ", PAGE, re.MULTILINE) == [one["uid"] for one in sources["datasources"]]


def test_superset_is_counted_right() -> None:
    """The export has as many charts and datasets as the page says, and the address that it names."""
    folder = ROOT / "deploy" / "superset" / "opinion"
    counted = [len(list(folder.glob(f"{kind}/**/*.yaml"))) for kind in ("charts", "datasets")]
    assert counted == [8, 5]
    assert "eight charts, five datasets" in PAGE
    slug = yaml.safe_load((folder / "dashboards" / "opinion.yaml").read_text(encoding="utf-8"))["slug"]
    assert f"/superset/dashboard/{slug}/" in PAGE


def test_the_panel_of_your_own_runs(analyst_database_url: str) -> None:
    """The example of a panel's query finds the two weeks' negatives."""
    [sql] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    query = Query("", "", "opinion", sql, "time_series", "1h")
    with psycopg.connect(analyst_database_url) as connection:
        connection.execute("SET ROLE opinion_bi")
        rows = connection.execute(expanded(query, local(2, 0), local(16, 0), {}).encode()).fetchall()
    assert sum(row[2] for row in rows if row[1] == "forum") == 56
