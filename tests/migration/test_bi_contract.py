"""Schema `bi` keeps what it promised: its views and columns, how they join, and who may read them how."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Connection, text

from storage import bi_contract
from storage.engine import connect

SNAPSHOT = Path(__file__).parents[1] / "golden" / "bi.json"


@pytest.fixture(scope="module")
def connection(analyst_database_url: str) -> Iterator[Connection]:
    """Two known weeks, read by the owner."""
    engine = connect(analyst_database_url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_nothing_that_was_promised_is_broken(connection: Connection) -> None:
    """No view and no column of the committed snapshot goes, or gets another name, type or place."""
    promised = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert bi_contract.breaks(promised, bi_contract.read(connection)) == []


def test_what_was_added_is_promised_from_now_on(connection: Connection) -> None:
    """The snapshot holds every view and column."""
    promised = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert bi_contract.additions(promised, bi_contract.read(connection)) == [], "run `make docs`"


def test_every_column_says_what_it_means(connection: Connection) -> None:
    """Each column of `bi` has a comment."""
    bare = connection.scalars(
        text("""
            SELECT c.relname || '.' || a.attname FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'v' AND a.attnum > 0
            JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'bi'
            WHERE col_description(c.oid, a.attnum) IS NULL ORDER BY 1
        """)
    ).all()
    assert bare == []


@pytest.mark.parametrize("join", bi_contract.JOINS, ids=lambda join: f"{join.many}-{join.one}-{join.keys[0][0]}")
def test_keys_find_their_rows(connection: Connection, join: bi_contract.Join) -> None:
    """Every key that the contract says joins finds a row, and exactly one where it says so; there is one to find."""
    keys = [theirs for theirs, _ in join.keys]
    known = " AND ".join(f"{join.many}.{key} IS NOT NULL" for key in keys)
    found = connection.execute(
        text(f"""
            SELECT count(*) AS rows, count(*) FILTER (WHERE found = 0) AS lost, max(found) AS most
            FROM (SELECT (SELECT count(*) FROM bi.{join.one} WHERE {join.condition}) AS found
                  FROM bi.{join.many} WHERE {known}) AS looked_up
        """)  # noqa: S608  # our own names
    ).one()
    assert found.rows > 0 or join.many == "feedback"  # nobody gave any
    assert found.lost == 0
    assert not join.is_unique or (found.most or 1) == 1


def test_local_days_are_those_of_the_zone(connection: Connection) -> None:
    """A post of one in the morning in Shanghai is of that day, though UTC is a day behind; so in every view."""
    where = "WHERE {} = timestamptz '2026-03-09 01:00+08'"
    for view, time in (
        ("document", "published_at"),
        ("mention", "published_at"),
        ("copy", "published_at"),
        ("incident", "starts_at - interval '2 days'"),
        ("incident_driver", "starts_at - interval '2 days'"),
        ("incident_document", "published_at - interval '2 days'"),
    ):
        days = set(connection.scalars(text(f"SELECT local_day::text FROM bi.{view} {where.format(time)}")))  # noqa: S608
        assert days == {"2026-03-11" if "interval" in time else "2026-03-09"}, view
    assert set(connection.scalars(text("SELECT local_day::text FROM bi.label"))) == {"2026-03-10"}
    assert set(connection.scalars(text("SELECT local_day::text FROM bi.comment"))) == {"2026-03-10"}
    assert connection.scalar(text("SELECT zone FROM bi.reporting_zone")) == "Asia/Shanghai"


def test_evidence_of_another_shape_breaks_no_dashboard(connection: Connection) -> None:
    """An incident whose evidence has no drivers and no figures is there, with nulls in their place."""
    odd = connection.execute(text("SELECT * FROM bi.incident WHERE labels ->> 'rule' = 'odd'")).mappings().one()
    assert (odd["share"], odd["topic_label"], odd["part_of"]) == (None, None, None)
    drivers = text("SELECT count(*) FROM bi.incident_driver WHERE incident_id = :id")
    assert connection.scalar(drivers, {"id": odd["incident_id"]}) == 0


def test_the_role_keeps_readers_within_limits(analyst_database_url: str) -> None:
    """Who logs in as opinion_bi itself cannot run for ever, hold a transaction open, or write by default."""
    with psycopg.connect(analyst_database_url, row_factory=dict_row) as connection:
        [role] = connection.execute("SELECT rolconfig, rolcanlogin FROM pg_roles WHERE rolname = 'opinion_bi'")
    limits = dict(setting.split("=") for setting in role["rolconfig"])
    assert not role["rolcanlogin"]
    assert limits["statement_timeout"] == "30s"
    assert limits["idle_in_transaction_session_timeout"] == "60s"
    assert limits["default_transaction_read_only"] == "on"
    assert {"lock_timeout", "work_mem", "temp_file_limit"} <= set(limits)
