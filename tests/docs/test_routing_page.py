"""Every example of docs/how-to/route-alerts.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from alerts.routing.subscription_file import read_subscriptions
from alerts.routing.subscriptions import Definition
from core.clock import MovableClock
from opinion.cli import app
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.rows import add_incident
from web.app import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "route-alerts.md").read_text(encoding="utf-8")

EVENING = datetime(2026, 5, 1, 20, tzinfo=UTC)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The indented lines, as a shell would split them."""
    return [shlex.split(line) for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The database that the commands are told of, with one incident that fires; the page's file in the folder."""
    (tmp_path / "subscriptions.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_ALERTS__WEBHOOKS", '["https://alerts.example/hook"]')
    engine = connect(database_url)
    with engine.begin() as connection:
        assert add_incident(connection) == 1
    yield engine
    engine.dispose()


def test_the_commands_work_in_their_order(engine: Engine) -> None:
    """Each ends well, and prints one JSON object where it can."""
    seen = []
    for command in commands():
        result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
        assert result.exit_code == 0, (command, result.output)
        seen.append(command[2])
    assert {"receivers", "import", "add", "remove", "who", "ack", "assign", "comment", "resolve", "reopen"} < set(
        seen
    )
    with engine.connect() as connection:
        silence = connection.execute(text("SELECT conditions, expired_by FROM silence")).one()
        lines = connection.scalars(text("SELECT transition FROM incident_event ORDER BY id")).all()
    assert silence.conditions == ['topic="sports"']
    assert silence.expired_by
    assert lines[1:] == ["acknowledged", "assigned", "commented", "closed", "reopened", "unacknowledged"]
    assert [one.name for one in read_subscriptions(Path("subscriptions.yaml"))] == ["report", "sports desk"]


def test_json_is_one_object(engine: Engine) -> None:
    """With --json stdout holds nothing else."""
    for command in commands():
        if command[2] != "export":
            result = CliRunner().invoke(app, [*command[1:], "--json"], catch_exceptions=False)
            assert isinstance(json.loads(result.stdout), dict), command


def test_the_table_has_every_field() -> None:
    """Nothing of a subscription goes unexplained."""
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(Definition.model_fields)


def test_sql_makes_a_subscription(engine: Engine) -> None:
    """The page's statement, as the commands see it."""
    with engine.begin() as connection:
        connection.execute(text(blocks("sql")[0]))
    listed = json.loads(CliRunner().invoke(app, ["subscriptions", "list", "--json"]).stdout)
    assert [(one["name"], one["problem"]) for one in listed["subscriptions"]] == [("weekend", None)]


def test_the_requests_are_answered(engine: Engine) -> None:
    """Each line of the table, with the bodies it shows, in its order but the reading of a subscription."""
    wanted: list[tuple[str, str, Any]] = []
    for line in re.findall(r"^\| (`(?:GET|PUT|DELETE|POST).*?) \|", PAGE, re.MULTILINE):
        quoted = re.findall(r"`([^`]*)`", line)
        body = json.loads(quoted.pop()) if " with " in line else None
        wanted += [(*one.replace("NAME", "apple").split(" "), body) for one in quoted]  # type: ignore[misc]
    wanted.sort(key=lambda request: request[0] != "PUT")
    with (
        serving(create_app(engine, clock=MovableClock(EVENING), receivers=[("webhook", "desk")])) as url,
        httpx.Client(base_url=url) as client,
    ):
        answers = [client.request(method, path, json=body).status_code for method, path, body in wanted]
    assert len(answers) == 14
    assert answers == [
        201 if (m, p) == ("POST", "/api/v1/silences") else 204 if "DELETE" in m and "sub" in p else 200
        for m, p, _ in wanted
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["subscriptions", "add", "x", "--who", "nobody"], "no receiver 'nobody'"),
        (["subscriptions", "add", "x", "--who", "*", "--quiet", "late"], "quiet.hours"),
        (["subscriptions", "add", "x", "--who", "*", "--escalate", "15m"], "AFTER=RECEIVER"),
        (["subscriptions", "import", "missing.yaml"], "cannot be read"),
        (["alerts", "who"], "either the id"),
        (["alerts", "who", "--labels", "topic=a", "--at", "noon"], "no time"),
        (["alerts", "silence", "--match", "topic!=a", "--for", "1h"], "label is missing"),
        (["alerts", "silence", "--match", "topic=~(", "--for", "1h"], "not a regular expression"),
        (["alerts", "comment", "1", " "], "TEXT"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments: list[str], says: str) -> None:
    """Exit code 2, with field, cause and the next step."""
    error = CliRunner().invoke(app, arguments).exception
    assert getattr(error, "exit_code", None) == 2
    assert says in error.message  # type: ignore[union-attr]
    assert error.remedy  # type: ignore[union-attr]


@pytest.mark.parametrize("body", ["subscriptions: 1", "a: [", "subscriptions: [{name: x}]", "{}", "- &a [*a]", ""])
def test_a_wrong_file_is_named(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in it, the message names the file."""
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text(body, encoding="utf-8")
    error = CliRunner().invoke(app, ["subscriptions", "import", "wrong.yaml"]).exception
    assert getattr(error, "exit_code", None) == 2
    assert "wrong.yaml" in str(error)
