"""The reasons of an incident are of what its rule counts: filters, watchlists, voices, or all documents."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judgement import judgement_of
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import Rule
from alerts.evaluate import EvaluateOptions, evaluate
from alerts.reasons.verifying import Verification, verify
from opinion.cli import app
from storage import bucket_counts, incidents
from storage.documents import DocumentRow
from storage.engine import connect
from storage.incidents import FrozenEvidence, IncidentRow
from tests.support.copies import OTHER
from tests.support.minutes import add_mentions, usual_day
from tests.support.records import says
from tests.support.rows import store_rows
from tests.support.surges import NOW, START, SURGE_AT, campaign, document, judge, many_voices, usual_hours

NEVER = datetime(2100, 1, 1, tzinfo=UTC)
MINUTES = 30 * 60 + 15
TWO_SOURCES = Rule(
    "acme", where=(("source", ("weibo", "forum")), ("watchlist", ("Acme",))), severity_at_most="warning"
)


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Usual hours in which one source always mentions Acme."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    made = connect(database_url)
    usual_hours(made)
    with made.begin() as connection:
        for source in ("weibo", "news"):
            minutes = usual_day(START, MINUTES, source=source, topic="automobile")
            add_mentions(connection, minutes, "Acme")
    yield made
    made.dispose()


def of_acme(sentiment: str = "negative") -> list[DocumentRow]:
    """Many minds on four sources; a story that starts on forum, and one that forum copies from a blog."""
    copied = [
        document(f"other:{nth}", SURGE_AT + nth * timedelta(seconds=20), f"【{nth % 5}】{OTHER}", source=source)
        for nth, source in enumerate(["blog", *["forum"] * 12])
    ]
    rows = campaign(20, voices=30) + copied + many_voices(60)
    return [one._replace(mentions=[says("Acme", sentiment), says("Bolt")], sentiment="neutral") for one in rows]


def frozen(engine: Engine, incident: IncidentRow) -> FrozenEvidence:
    with engine.connect() as connection:
        return incidents.frozen_evidence(connection, incident.id)[0]


def verified(engine: Engine, incident: IncidentRow) -> Verification:
    with engine.connect() as connection:
        found = incidents.frozen_evidence(connection, incident.id)[0]
        return verify(connection, incident.labels, found, with_baselines=True)


def wrong(found: Verification) -> dict[str, Any]:
    return {check.name: check.because for check in found.checks if check.agrees is not True}


def assert_adds_up(body: dict[str, Any]) -> None:
    for dimension, drivers in body["drivers"].items():
        parts = [*drivers, body["drivers_other"][dimension]]
        assert round(sum(part["excess"] for part in parts), 2) == body["severity"]["excess"], dimension
        assert sum(part["negative"] for part in parts) == body["observed"], dimension


def test_a_rule_with_filters_is_explained_by_what_it_counts(engine: Engine) -> None:
    """Two sources, one watchlist, two stories: figures agree, parts add up, and the verdict comes out again."""
    store_rows(engine, of_acme())
    incident = judge(engine, [TWO_SOURCES])
    kept = frozen(engine, incident)
    body, judgement = kept.body, judgement_of(kept.judgement)
    assert (body["counted"], body["scope"]) == ("negative", {"source": ["weibo", "forum"], "watchlist": ["Acme"]})
    assert {one["name"] for one in body["drivers"]["source"]} == {"forum", "weibo"}
    assert "watchlist" not in body["drivers"]
    assert_adds_up(body)
    stories = [(one["id"], one["negative"], one["copies"], one["raw_negative"]) for one in body["drivers"]["cluster"]]
    assert stories == [("copy:0", 1, 19, 20), ("other:0", 0, 12, 12)]
    assert body["raw"]["negative"] - body["observed"] == 19 + 12
    assert {one["source"] for one in body["documents"]} <= {"weibo", "forum"}
    assert judgement is not None
    assert judgement.verdict().is_firing
    assert (judgement.verdict().observed, round(judgement.verdict().score, 2)) == (body["observed"], body["score"])
    assert (incident.severity, body["severity"]["name"], body["severity"]["at_most"]) == ("warning",) * 3
    assert wrong(verified(engine, incident)) == {}
    run = CliRunner()
    shown = json.loads(run.invoke(app, ["alerts", "show", str(incident.id), "--json"]).stdout)
    assert shown["evidence"]["body"] == body
    assert json.loads(run.invoke(app, ["alerts", "verify", str(incident.id), "--json"]).stdout)["agrees"] is True
    page = run.invoke(app, ["alerts", "show", str(incident.id)], env={"COLUMNS": "120"}).stdout
    assert "its rule calls an incident info at least and warning at most" in page


def test_a_rule_that_counts_all_documents_is_explained_by_all(engine: Engine) -> None:
    """None of them is negative; sources, topics, stories and examples are those of all documents."""
    store_rows(engine, of_acme("positive"))
    incident = judge(engine, [Rule("volume", ("watchlist",), "total", where=(("watchlist", ("Acme",)),))])
    body = frozen(engine, incident).body
    assert (body["counted"], body["scope"]) == ("total", {"watchlist": ["Acme"]})
    assert body["observed"] == body["documents_in_window"] == body["raw"]["total"] - 19 - 12
    assert_adds_up(body)
    assert {"source", "topic", "cluster"} == set(body["drivers"])
    assert len(body["documents"]) == 3
    assert wrong(verified(engine, incident)) == {}
    page = CliRunner().invoke(app, ["alerts", "show", str(incident.id)], env={"COLUMNS": "120"}).stdout
    assert "documents per 5 minutes" in page


def test_a_voice_lost_to_an_earlier_document_is_late(engine: Engine) -> None:
    """A late document elsewhere turns the story's voice into a copy: the count falls, and nobody has changed it."""
    store_rows(engine, of_acme())
    incident = judge(engine, [TWO_SOURCES])
    copied = campaign(1, voices=0)[0]
    earlier = copied._replace(id="early", source="blog", published_at=SURGE_AT - timedelta(hours=9), stored_at=NEVER)
    store_rows(engine, [earlier])
    found = verified(engine, incident)
    assert wrong(found)["observed"] == "late"
    assert found.changes is not None
    assert found.changes.late == 0


def test_a_forged_scope_is_found(engine: Engine) -> None:
    """Another source in it does not fit the figures, and one that nobody can read is named."""
    store_rows(engine, of_acme())
    incident = judge(engine, [TWO_SOURCES])
    for value, name in (('["weibo"]', "observed"), ("7", "scope")):
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE evidence SET body = jsonb_set(body, '{scope,source}', CAST(:value AS jsonb))"),
                {"value": value},
            )
        assert wrong(verified(engine, incident))[name] == "changed"


def test_baselines_of_a_rule_made_later_are_those_it_read_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the stored counts of some time before it was made, not all; so does who learns them again."""
    monkeypatch.setattr("alerts.detection.judging.LEARN_FROM", timedelta(hours=20))
    options = EvaluateOptions([Rule("other", where=(("lang", ("fr",)),))], ClockOptions(DetectorOptions()), [], "")
    with engine.begin() as connection:
        evaluate(connection, bucket_counts.newest_minutes(connection, not_after=NOW), options, now=NOW)
    store_rows(engine, of_acme())
    incident = judge(engine, [TWO_SOURCES])
    judgement = frozen(engine, incident).judgement
    assert judgement is not None
    assert judgement["state"]["seen_buckets"] < 23 * 12
    assert wrong(verified(engine, incident)) == {}
