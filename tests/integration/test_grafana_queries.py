"""Every SQL query of the dashboards runs as the read-only role, and its answer has the shape that Grafana draws."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.support.analyst_days import local
from tests.support.grafana import DASHBOARDS, Query, expanded, queries

SQL = queries("opinion")
EMPTY = {"Model switches", "Candidates beside the champion A", "Drift A", "People against the model A"}
"""Of what the two weeks hold nothing: each of these still has to run."""


@pytest.fixture(scope="module")
def reader(analyst_database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(analyst_database_url, row_factory=dict_row, autocommit=True) as connection:
        connection.execute("SET ROLE opinion_bi")
        yield connection


@pytest.mark.parametrize("query", SQL, ids=lambda query: f"{query.dashboard}-{query.name}")
def test_query_runs_and_can_be_drawn(reader: psycopg.Connection[dict[str, Any]], query: Query) -> None:
    """With all values of its variables chosen, and with none that there is: an empty database breaks no panel."""
    chosen = {
        one["name"]: [next(iter(row.values())) for row in reader.execute(one["query"].encode())]
        for one in DASHBOARDS[query.dashboard]["templating"]["list"]
        if one["type"] == "query"
    }
    rows = reader.execute(expanded(query, local(2, 0), local(16, 0), chosen).encode()).fetchall()
    assert bool(rows) != (query.name in EMPTY)
    if query.format == "time_series":
        assert all("time" in row for row in rows)
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        assert all(isinstance(row.get("metric", ""), str) for row in rows)
    if query.format == "annotation":
        assert all({"time", "text"} <= set(row) for row in rows)
    reader.execute(expanded(query, local(2, 0), local(16, 0), {name: [] for name in chosen}).encode())


def test_figures_are_those_of_the_two_weeks(reader: psycopg.Connection[dict[str, Any]]) -> None:
    """The overview's stats say what was counted by hand."""
    chosen = {"topic": ["food", "finance"], "source": ["forum", "paper"]}
    of = {query.name: query for query in SQL if query.dashboard == "overview.json"}

    def value(name: str) -> Any:
        [row] = reader.execute(expanded(of[name], local(2, 0), local(16, 0), chosen).encode()).fetchall()
        return next(iter(row.values()))

    assert value("Documents A") == 280
    assert value("Negative share A") == pytest.approx((14 + 42 + 42) / 280)
    assert value("Incidents that fire A") == 1
