"""`opinion rules`, `opinion alerts feedback` and the same over HTTP: made, changed, tried, refused in words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from alerts.detection.detectors import DetectorOptions
from alerts.detection.rules import DEFAULT_RULES, Rule
from alerts.rulebook.laboratory import TRIED_THRESHOLDS, TrialOptions, try_rule
from opinion.cli import app
from storage import feedback, rules
from storage.engine import connect
from tests.integration.test_alerts_evaluate import NOW, SURGE_AT, load, story
from tests.support.consoles import serving
from tests.support.minutes import MINUTE, Minute, usual_day
from tests.support.rows import add_incident
from web.app import create_app

URL = "/api/v1/rules"
run = CliRunner()


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    with serving(create_app(engine)) as url, httpx.Client(base_url=url) as client:
        yield client


def rule_command(*arguments: str) -> dict[str, Any]:
    result = run.invoke(app, ["rules", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(*arguments: str) -> tuple[int, str]:
    error: Any = run.invoke(app, [*arguments]).exception
    return error.exit_code, f"{error.message}; {error.remedy}"


def test_a_rule_is_added_changed_shown_and_removed(engine: Engine) -> None:
    """Each change is in its history with who made it; a threshold takes the place of a sensitivity."""
    added = ["add", "acme", "--watchlist", "Acme", "--group-by", "source", "--sensitivity", "high", "--by", "li"]
    assert rule_command(*added) == {"rules": 1, "changed": ["acme"]}
    assert rule_command("set", "acme", "--threshold", "5.5", "--disable", "--by", "wang")["changed"] == ["acme"]
    assert rule_command("set", "acme", "--threshold", "5.5")["changed"] == []
    shown = rule_command("show", "acme")
    definition = {"group_by": ["source"], "watchlist": ["Acme"], "threshold": 5.5, "enabled": False}
    assert (shown["definition"], shown["enabled"], shown["owner"]) == (definition, False, "wang")
    assert [(one["changed_by"], "threshold" in one["definition"]) for one in shown["history"]] == [
        ("wang", True),
        ("li", False),
    ]
    assert rule_command("set", "acme", "--clear", "watchlist", "--enable")["changed"] == ["acme"]
    assert rule_command("show", "acme")["definition"] == {"group_by": ["source"], "threshold": 5.5}
    assert rule_command("remove", "acme") == {"removed": ["acme"]}
    assert refused("rules", "show", "acme")[0] == 4
    with engine.connect() as connection:
        assert rules.history(connection, "acme")[0].definition is None
        assert connection.scalar(text("SELECT count(*) FROM bi.rule_change WHERE rule = 'acme'")) == 4


def test_default_rules_are_changed_and_come_back(engine: Engine) -> None:
    """One of the same name stands in their place until it is removed."""
    names = [rule.name for rule in DEFAULT_RULES]
    assert [(one["name"], one["owner"]) for one in rule_command("list")["rules"]] == [(n, "default") for n in names]
    rule_command("set", "by-topic", "--sensitivity", "low")
    assert rule_command("show", "by-topic")["definition"] == {"group_by": ["topic"], "sensitivity": "low"}
    assert [one["name"] for one in rule_command("list")["rules"]] == names
    rule_command("remove", "by-topic")
    assert rule_command("show", "by-topic")["owner"] == "default"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["add", "by-topic"], 2, "there is a rule 'by-topic' already; opinion rules set"),
        (["add", "a|b"], 2, "a name is letters"),
        (["add", "a", "--threshold", "nan"], 2, "threshold"),
        (["add", "a", "--threshold", "5", "--sensitivity", "low"], 2, "say one of them"),
        (["add", "a", "--kind", "a\tb"], 2, "control characters"),
        (["set", "nothing", "--disable"], 4, "no rule 'nothing'; opinion rules list"),
        (["set", "overall", "--clear", "colour"], 2, "understood are: group_by"),
        (["remove", "overall"], 2, "opinion rules set overall --disable"),
        (["remove", "nothing"], 4, "opinion rules list"),
        (["import", "nothing.yaml"], 2, "cannot be read"),
        (["test", "nothing"], 4, "no rule 'nothing'"),
        (["test", "nothing.yaml"], 2, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_next_step(
    engine: Engine, arguments: list[str], code: int, says: str
) -> None:
    """The exit codes of all commands, and nothing is stored."""
    found, words = refused("rules", *arguments)
    assert (found, says in words) == (code, True), words
    with engine.connect() as connection:
        assert rules.active(connection) == []


def test_export_and_import_are_inverse(engine: Engine, tmp_path: Path) -> None:
    """What is exported is what holds; importing it again changes the defaults' owner alone."""
    rule_command("add", "苹果 财经", "--watchlist", "苹果", "--topic", "finance", "--min-per-hour", "3")
    file = tmp_path / "rules.yaml"
    assert run.invoke(app, ["rules", "export", "--out", str(file)]).exit_code == 0
    assert rule_command("import", str(file)) == {"rules": 5, "changed": [rule.name for rule in DEFAULT_RULES]}
    assert rule_command("import", str(file))["changed"] == []
    assert run.invoke(app, ["rules", "export"]).stdout == file.read_text(encoding="utf-8")


def test_people_read_tables(engine: Engine) -> None:
    """Names that look like markup do no harm."""
    with engine.begin() as connection:
        rules.put(connection, {"a": {"topic": ["[red]x[/]"], "enabled": False}, "b": {"x": 1}}, by="[bold]li")
        add_incident(connection, rule="a")
    listed = run.invoke(app, ["rules", "list"], env={"COLUMNS": "250"}).stdout
    assert "topic: [red]x[/]" in listed
    assert "x: not understood" in listed
    assert "[bold]li" in listed
    assert "[red]x[/]" in run.invoke(app, ["rules", "show", "a"], env={"COLUMNS": "200"}).stdout
    assert "x: not understood" in refused("rules", "test", "b")[1]


def test_feedback_gives_the_precision_of_a_rule(engine: Engine) -> None:
    """A person's newest word counts, each incident once; late is true, and noise is not."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with engine.begin() as connection:
        ids = [add_incident(connection, starts_at=at + nth * timedelta(days=1)) for nth in range(4)]

    def say(nth: int, verdict: str, by: str) -> None:
        command = ["alerts", "feedback", str(ids[nth]), verdict, "--by", by, "--comment", "x", "--json"]
        told = json.loads(run.invoke(app, command, catch_exceptions=False).stdout)
        assert told == {"incident": ids[nth], "verdict": verdict, "comment": "x", "by": by}

    def precision() -> tuple[Any, ...]:
        [one] = [one for one in rule_command("list")["rules"] if one["name"] == "by-topic"]
        return one["incidents"], *one["feedback"].values(), one["precision"]

    assert precision() == (4, 0, 0, 0, None)
    say(0, "noise", "li")
    say(0, "useful", "li")
    say(1, "late", "li")
    say(2, "noise", "li")
    assert precision() == (4, 1, 1, 1, 2 / 3)
    say(2, "useful", "wang")  # as many say one as the other
    assert precision() == (4, 2, 1, 0, 1.0)
    say(2, "noise", "zhao")
    assert precision() == (4, 1, 1, 1, 2 / 3)
    assert refused("alerts", "feedback", "99", "noise")[0] == 4
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM bi.feedback")) == 5


def weeks(engine: Engine, *topics: str) -> None:
    """Eleven days of cars and others on weibo; after a week a surge of cars, three days later a weaker one."""
    start = SURGE_AT - timedelta(days=7)
    for topic in ("automobile", *topics):
        load(engine, usual_day(start, 11 * 1440, source="weibo", topic=topic))
    for at, minutes in ((SURGE_AT, 40), (SURGE_AT + timedelta(days=3), 20)):
        load(engine, [Minute(at + nth * MINUTE, "weibo", "automobile", 1, 1) for nth in range(minutes)])


def test_a_trial_says_what_would_have_fired_and_what_people_would_have_missed(engine: Engine) -> None:
    """The strong surge of cars; an incident of noise that it avoids, and a useful one that it misses; no writes."""
    weeks(engine, "sports")
    labels = {"alertname": "NegativeSurge", "rule": "by-topic"}
    kept = {"detected_at": SURGE_AT, "last_fired_at": SURGE_AT, "status": "resolved"}
    with engine.begin() as connection:
        said = {
            name: add_incident(
                connection, starts_at=at, ends_at=at, labels={**labels, "topic": topic}, fingerprint=name, **kept
            )
            for name, topic, at in (
                ("caught", "automobile", SURGE_AT + 30 * MINUTE),
                ("missed", "sports", SURGE_AT),
                ("avoided", "sports", SURGE_AT - timedelta(hours=9)),
                ("raised", "automobile", SURGE_AT + 20 * MINUTE),
                ("long ago", "automobile", SURGE_AT - timedelta(days=90)),
            )
        }
        for name, verdict in (("caught", "late"), ("missed", "useful"), ("avoided", "noise"), ("raised", "noise")):
            feedback.give(connection, said[name], verdict, by="li")  # type: ignore[arg-type]
        feedback.give(connection, said["long ago"], "useful", by="li")
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT count(*) FROM detector_state"))
    [trial] = rule_command("test", "by-topic", "--days", "6")["rules"]
    assert [(one["labels"]["topic"], one["detected_at"] > SURGE_AT.isoformat()) for one in trial["incidents"]] == [
        ("automobile", True)
    ] * len(trial["incidents"])
    assert trial["compared"] == {name: [said[name]] for name in ("caught", "missed", "raised", "avoided")}
    assert (trial["series"], trial["replayed"], trial["sensitivity"], trial["keeps_budget"]) == (2, 2, "medium", None)
    assert trial["messages_per_week"] == pytest.approx(trial["messages"] * 7 / 6, abs=0.01)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM detector_state")) == before
    shown = run.invoke(app, ["rules", "test", "by-topic", "--days", "6"], env={"COLUMNS": "160"}).stdout
    assert "topic=automobile" in shown
    assert "called useful or late, and missed" in shown


def test_a_budget_gives_the_least_threshold_that_keeps_it(engine: Engine, tmp_path: Path) -> None:
    """A tighter budget needs a higher one; each is the least: a quarter less gives too many messages."""
    weeks(engine)
    options = TrialOptions(DetectorOptions(), days=6)
    thresholds = []
    with engine.connect() as connection:
        for budget in (100.0, 2.4, 0.0):
            rule = Rule("cars", ("topic",))
            trial = try_rule(connection, rule, TrialOptions(options.usual, 6, 200, budget), now=NOW)
            thresholds.append(trial.threshold)
            if trial.keeps_budget and trial.threshold > 3.0:
                assert trial.messages_per_week <= budget
                less = Rule("cars", ("topic",), threshold=trial.threshold - 0.25)
                assert try_rule(connection, less, options, now=NOW).messages_per_week > budget
    assert thresholds == sorted(thresholds)
    assert thresholds[0] == 3.0 < thresholds[1] < TRIED_THRESHOLDS[-1]
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n- name: cars\n  group_by: topic\n  min_per_hour: 1\n", encoding="utf-8")
    command = ["test", str(file), "--days", "6", "--messages-per-week", "0"]
    assert refused("rules", *command)[0] == 5


def test_put_get_list_history_and_delete(client: httpx.Client) -> None:
    """What is put is what is read, and is judged by; deleted, the default holds again."""
    body = {"group_by": ["topic"], "sensitivity": "low"}
    made = client.put(f"{URL}/by-topic", json=body)
    assert (made.status_code, made.json()["definition"], made.json()["owner"]) == (200, body, "console")
    assert client.get(f"{URL}/by-topic").json() == made.json()
    assert [one["name"] for one in client.get(URL).json()] == [rule.name for rule in DEFAULT_RULES]
    assert client.get(f"{URL}/by-topic/history").json()[0]["definition"] == body
    assert client.delete(f"{URL}/by-topic").status_code == 204
    assert client.get(f"{URL}/by-topic").json()["owner"] == "default"
    assert client.delete(f"{URL}/by-topic").json()["error"]["code"] == "rule_not_yours"
    assert client.get(f"{URL}/nothing").status_code == 404


def test_http_refuses_in_words(client: httpx.Client, engine: Engine) -> None:
    """422 with field and cause, 409 with the file that owns it, 403 for another site; nothing is stored."""
    for name, body, says in (
        ("a", {"group_by": ["author"]}, "group_by"),
        ("a", {"topic": ["x\u0000"]}, "control characters"),
        ("a", {"threshold": 5, "sensitivity": "low"}, "say one of them"),
        ("dead-letters", {}, "built-in watch"),
        ("a;b", {}, "a name is letters"),
    ):
        answer = client.put(f"{URL}/{name}", json=body)
        assert (answer.status_code, says in answer.json()["error"]["message"]) == (422, True), answer.text
    with engine.begin() as connection:
        rules.sync_file(connection, Path("/etc/rules.yaml"), {"filed": {}})
    for answer in (client.put(f"{URL}/filed", json={}), client.delete(f"{URL}/filed")):
        assert (answer.status_code, "/etc/rules.yaml" in answer.json()["error"]["message"]) == (409, True)
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.put(f"{URL}/a", json={}, headers=foreign).status_code == 403
    assert client.post("/api/v1/incidents/1/feedback", json={"verdict": "noise"}, headers=foreign).status_code == 403


def test_a_rule_is_tried_and_an_incident_spoken_of_over_http(client: httpx.Client, engine: Engine) -> None:
    """The same laboratory and the same feedback as by command."""
    load(engine, story())
    with engine.begin() as connection:
        number = add_incident(connection)
    answer = client.post(f"{URL}/test", json={"rule": {"group_by": ["topic"]}, "days": 2}, timeout=60)
    assert (answer.status_code, answer.json()["rule"], answer.json()["replayed"]) == (200, "trial", 2)
    said = client.post(f"/api/v1/incidents/{number}/feedback", json={"verdict": "useful", "by": "王芳"})
    assert (said.status_code, [one["given_by"] for one in said.json()]) == (201, ["王芳"])
    assert client.get(f"/api/v1/incidents/{number}/feedback").json() == said.json()
    assert client.post("/api/v1/incidents/999/feedback", json={"verdict": "noise"}).status_code == 404
    [rule] = [one for one in client.get(URL).json() if one["name"] == "by-topic"]
    assert (rule["precision"], rule["feedback"]) == (1.0, {"useful": 1, "late": 0, "noise": 0})
