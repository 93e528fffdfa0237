"""`opinion db reader`: who looks at dashboards logs in, reads schema `bi`, and can do no harm."""

import json
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from core.errors import NotFoundError, OpinionError, UsageError
from opinion.cli import app
from tests.support.servers import url_of


def test_a_reader_reads_bi_within_limits_until_it_is_removed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The printed URL logs in; what it may do, what stops it, a new password, a program's file, and the end."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    name = f"anna_{uuid.uuid4().hex[:6]}"  # logins belong to the whole server
    run = CliRunner().invoke
    url = run(app, ["db", "reader", name]).stdout.strip()
    with psycopg.connect(url, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM bi.document").fetchone() == (0,)
        shown = [reader.execute(f"SHOW {one}").fetchone() for one in ("statement_timeout", "temp_file_limit")]
        assert shown == [("30s",), ("1GB",)]
        for statement in ("SELECT 1 FROM document", "SELECT rolpassword FROM pg_authid"):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(statement)
        with pytest.raises(errors.ReadOnlySqlTransaction):
            reader.execute("CREATE TEMP TABLE t (x int)")
        reader.execute("SET statement_timeout = '50ms'")
        with pytest.raises(errors.QueryCanceled):
            reader.execute("SELECT pg_sleep(10)")
    assert isinstance(run(app, ["db", "reader", name]).exception, UsageError)
    renewed = json.loads(run(app, ["db", "reader", name, "--renew", "--json"]).stdout)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url).close()
    psycopg.connect(renewed["url"]).close()
    kept = tmp_path / "password"
    for _ in range(2):
        done = json.loads(run(app, ["db", "reader", name, "--password-file", str(kept), "--json"]).stdout)
        assert done == {"name": name, "password_file": str(kept)}
        assert kept.stat().st_mode & 0o777 == 0o600
        psycopg.connect(renewed["url"].replace(renewed["password"], kept.read_text())).close()
    assert name in json.loads(run(app, ["db", "readers", "--json"]).stdout)["readers"]
    with psycopg.connect(database_url) as owner:
        [verifier] = owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone() or [""]
    assert verifier.startswith("SCRAM-SHA-256$")
    assert json.loads(run(app, ["db", "reader", name, "--remove", "--json"]).stdout) == {
        "name": name,
        "removed": True,
    }
    assert isinstance(run(app, ["db", "reader", name, "--renew"]).exception, NotFoundError)


def test_names_and_rights_are_checked(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no plain identifier is refused, others' logins are left alone, and missing rights are told."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    run = CliRunner().invoke
    for name in ('a"; DROP ROLE opinion_bi; --', "Anna", "pg_reader", "1st", "a" * 64, ""):
        assert isinstance(run(app, ["db", "reader", name]).exception, UsageError)
        assert isinstance(run(app, ["db", "reader", name, "--remove"]).exception, NotFoundError)
    assert isinstance(run(app, ["db", "reader", "opinion", "--remove"]).exception, NotFoundError)
    assert isinstance(run(app, ["db", "reader", "anna", "--renew", "--remove"]).exception, UsageError)
    maker, database = f"maker_{uuid.uuid4().hex[:6]}", database_url.rsplit("/", 1)[1]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {maker} LOGIN PASSWORD 'x'")  # type: ignore[call-overload]
        poor = url_of(database_url, database).replace(owner.info.user, maker, 1).replace(owner.info.password, "x", 1)
        monkeypatch.setenv("OPINION_DATABASE_URL", poor)
        refused = run(app, ["db", "reader", "anna"]).exception
        owner.execute(f"DROP ROLE {maker}")  # type: ignore[call-overload]
    assert isinstance(refused, OpinionError)
    assert "administrator" in str(refused.remedy)
