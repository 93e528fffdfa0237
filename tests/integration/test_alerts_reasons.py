"""An incident's reasons: what drives it, what it would have been without that, and all of it worked out again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text, update
from typer.testing import CliRunner

from alerts.reasons.explaining import Excess, explain
from alerts.reasons.verifying import Verification, verify
from opinion.cli import app
from storage import erasure, incidents
from storage.engine import connect
from storage.excess_counts import Scope
from storage.excess_documents import cluster_buckets
from storage.late_changes import changes_since
from storage.tables import evidence
from tests.support.records import says
from tests.support.rows import add_incident, store_rows
from tests.support.surges import SURGE_AT, campaign, document, judge, many_voices, usual_hours

NEVER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    made = connect(database_url)
    usual_hours(made)
    yield made
    made.dispose()


def body_of(engine: Engine, number: int) -> dict[str, Any]:
    with engine.connect() as connection:
        return incidents.newest_evidence(connection, [number])[number]


def verified(engine: Engine, number: int, *, with_baselines: bool = False) -> Verification:
    with engine.connect() as connection:
        [incident] = incidents.by_ids(connection, [number])
        frozen = incidents.frozen_evidence(connection, number)[0]
        return verify(connection, incident.labels, frozen, with_baselines=with_baselines)


def wrong(found: Verification) -> dict[str, str | None]:
    return {check.name: check.because for check in found.checks if check.agrees is not True}


def without(body: dict[str, Any], dimension: str) -> dict[str, Any]:
    """The counterfactual of the largest driver of a dimension."""
    return next(one for one in body["counterfactual"] if one["dimension"] == dimension)


def test_a_story_is_one_voice_however_many_copy_it(engine: Engine) -> None:
    """It is told with its copies, and is not why it fired: its source is, whose other documents are as many minds."""
    store_rows(engine, campaign())
    body = body_of(engine, judge(engine).id)
    [story] = body["drivers"]["cluster"]
    assert (story["id"], story["negative"], story["copies"], story["raw_negative"]) == ("copy:0", 1, 39, 40)
    assert without(body, "cluster")["would_fire"] is True
    assert without(body, "cluster")["negative"] == 1
    assert without(body, "source")["would_fire"] is False
    assert body["raw"]["negative"] - body["observed"] == 39
    assert body["comparison"]["read"]["copies"] == [39, 39]
    assert not {f"copy:{nth}" for nth in range(1, 40)} & {one["id"] for one in body["documents"]}


def test_what_many_people_say_fires_without_any_one_source(engine: Engine) -> None:
    """No single source carries the surge; the words do, and examples come from different sources."""
    store_rows(engine, many_voices(people=80))
    body = body_of(engine, judge(engine).id)
    assert without(body, "source")["would_fire"] is True
    assert without(body, "topic")["would_fire"] is False
    assert body["drivers"]["term"][0]["name"] in ("刹车", "失灵")
    assert len({one["source"] for one in body["documents"]}) == 3


def test_the_parts_of_every_dimension_add_up_to_the_excess(engine: Engine) -> None:
    """Drivers and the rest, to the hundredth, in each dimension that was frozen."""
    store_rows(engine, campaign(20) + many_voices(30))
    body = body_of(engine, judge(engine).id)
    assert set(body["drivers"]) == {"source", "topic", "cluster", "term"}
    for dimension, drivers in body["drivers"].items():
        parts = [*drivers, body["drivers_other"][dimension]]
        assert round(sum(part["excess"] for part in parts), 2) == body["severity"]["excess"]
        assert sum(part["negative"] for part in parts) == body["observed"]


def test_frozen_evidence_can_be_worked_out_again(engine: Engine) -> None:
    """Every figure agrees as long as nothing has changed."""
    store_rows(engine, campaign(20) + many_voices(30))
    found = verified(engine, judge(engine).id)
    assert wrong(found) == {}
    assert {"observed", "series.upper", "drivers.term", "counterfactual"} <= {check.name for check in found.checks}


def test_late_documents_are_told_from_a_changed_figure(engine: Engine) -> None:
    """What came after freezing explains the difference exactly; an edited figure is explained by nothing."""
    store_rows(engine, campaign())
    number = judge(engine).id
    late = [
        document(f"late:{nth}", SURGE_AT + timedelta(minutes=1), f"晚到 {nth}", stored_at=NEVER) for nth in range(3)
    ]
    store_rows(engine, late)
    found = verified(engine, number)
    assert wrong(found)["observed"] == "late"
    assert set(wrong(found).values()) == {"late"}
    assert found.changes is not None
    assert (found.changes.late, found.changes.negative) == (3, 3)


@pytest.mark.parametrize(
    ("path", "value"),
    [("{observed}", "900"), ("{drivers,source,0,excess}", "1.5"), ("{series,upper,7}", "70"), ("{score}", "3")],
)
def test_an_edited_figure_is_found(engine: Engine, path: str, value: str) -> None:
    """One number changed in SQL is the one that is named, and nothing excuses it."""
    store_rows(engine, campaign())
    number = judge(engine).id
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE evidence SET body = jsonb_set(body, CAST(:path AS text[]), CAST(:value AS jsonb))"),
            {"path": path, "value": value},
        )
    name = ".".join(part for part in path.strip("{}").split(",")[:2] if not part.isdigit())
    assert wrong(verified(engine, number)) == {name: "changed"}


def test_a_forged_baseline_is_found_by_learning_it_again(engine: Engine) -> None:
    """Evidence that fits a baseline which the counts never led to fits only as long as nobody learns it again."""
    store_rows(engine, campaign())
    number = judge(engine).id
    assert wrong(verified(engine, number, with_baselines=True)) == {}
    with engine.begin() as connection:
        [incident] = incidents.by_ids(connection, [number])
        [frozen] = incidents.frozen_evidence(connection, number)
        assert frozen.judgement is not None
        for baseline in frozen.judgement["state"]["counts"]:
            baseline["level"] /= 5
        forged = {check.name: check.recomputed for check in verify(connection, incident.labels, frozen).checks}
        body = {name: value for name, value in forged.items() if "." not in name} | {"since": frozen.body["since"]}
        for group in ("drivers", "drivers_other", "series"):
            body[group] = {name.split(".")[1]: one for name, one in forged.items() if name.startswith(f"{group}.")}
        connection.execute(
            update(evidence).where(evidence.c.incident_id == number).values(body=body, judgement=frozen.judgement)
        )
    assert wrong(verified(engine, number)) == {}
    assert wrong(verified(engine, number, with_baselines=True)) == {"baselines": "changed"}


def test_edited_counts_are_found(engine: Engine) -> None:
    """Minute counts that were changed by hand have no document that explains them."""
    store_rows(engine, campaign())
    number = judge(engine).id
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE opinion_minute SET negative = negative + 5, total = total + 5 WHERE source = 'forum'")
        )
    assert wrong(verified(engine, number))["observed"] == "changed"


def test_erased_words_go_out_of_drivers(engine: Engine) -> None:
    """A story's title is its voice's words: when that is erased, drivers and counterfactual forget it."""
    store_rows(engine, campaign())
    number = judge(engine).id
    with engine.begin() as connection:
        erasure.erase(connection, ["copy:0"])
    body = body_of(engine, number)
    assert body["drivers"]["cluster"] == []
    assert not [one for one in body["counterfactual"] if one["dimension"] == "cluster"]
    assert wrong(verified(engine, number))["drivers.cluster"] == "erased"


def test_commands_show_and_verify(engine: Engine) -> None:
    """A page for people, JSON for programs; 5 and the figure's name when something differs."""
    store_rows(engine, campaign())
    number = str(judge(engine).id)
    run = CliRunner()
    page = run.invoke(app, ["alerts", "show", number], env={"COLUMNS": "120"})
    assert page.exit_code == 0
    for said in ("would not have fired", "and 39 copies", "excess by stories", "all others", "expected", "█"):
        assert said in page.stdout
    shown = json.loads(run.invoke(app, ["alerts", "show", number, "--json"]).stdout)
    assert shown["evidence"]["body"]["drivers"]["cluster"]
    done = run.invoke(app, ["alerts", "verify", number, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["agrees"] is True
    with engine.begin() as connection:
        connection.execute(text("UPDATE evidence SET body = jsonb_set(body, '{score}', '3')"))
    refused = run.invoke(app, ["alerts", "verify", number])
    assert getattr(refused.exception, "exit_code", None) == 5
    assert "score" in str(refused.exception)


def test_evidence_of_an_earlier_version_is_not_called_wrong(engine: Engine) -> None:
    """Without what it was judged from nothing can be said against it; an unknown incident is not found."""
    with engine.begin() as connection:
        number = add_incident(connection)
    run = CliRunner()
    assert run.invoke(app, ["alerts", "show", str(number)]).exit_code == 0
    done = run.invoke(app, ["alerts", "verify", str(number), "--json"])
    assert done.exit_code == 0
    assert {check["because"] for check in json.loads(done.stdout)["evidence"][0]["checks"]} == {"no judgement"}
    assert getattr(run.invoke(app, ["alerts", "verify", "999"]).exception, "exit_code", None) == 4


def test_hostile_words_stay_words(engine: Engine) -> None:
    """A story full of markup and escape codes is shown as it is on a terminal, and nothing of it is obeyed."""
    hostile = "\x1b[31m[bold red]爆炸[/bold red]\u202e <script>alert(1)</script> 奶茶店停业整顿多名顾客反映腹痛不适"
    source = "[red]坏[/red]\x1b[2J"
    rows = [document(f"bad:{nth}", SURGE_AT + nth * timedelta(seconds=9), hostile, source=source) for nth in range(5)]
    rows += many_voices(sources=[source])
    store_rows(engine, rows)
    page = CliRunner().invoke(app, ["alerts", "show", str(judge(engine).id)], env={"COLUMNS": "150"})
    assert page.exit_code == 0
    assert "\x1b[2J" not in page.stdout
    assert "\u202e" not in page.stdout
    assert "[red]" in page.stdout


def test_expired_documents_are_no_difference(engine: Engine) -> None:
    """What came from documents cannot be checked once they are gone; what came from counts still is."""
    store_rows(engine, campaign())
    number = judge(engine).id
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO retention_state (documents_before) VALUES (:at)"), {"at": NEVER})
        connection.execute(text("DELETE FROM document"))
    found = verified(engine, number)
    assert found.agrees
    assert {"drivers.cluster", "documents"} <= set(wrong(found))
    assert set(wrong(found).values()) == {"expired"}
    assert next(check for check in found.checks if check.name == "observed").agrees is True


def test_what_is_said_of_a_watchlist_is_explained_from_its_mentions(engine: Engine) -> None:
    """A watchlist drives the whole; and of its own series, sentiment is that toward it, not the document's."""
    toward = [says("Acme"), says("Other", "positive")]
    store_rows(engine, [one._replace(mentions=toward, sentiment="neutral") for one in campaign(30)])
    store_rows(engine, [one._replace(mentions=[says("Acme", "positive")]) for one in many_voices(40)])
    body = body_of(engine, judge(engine).id)
    assert [one["name"] for one in body["drivers"]["watchlist"]] == ["Acme"]
    start, end = SURGE_AT - timedelta(minutes=5), SURGE_AT + timedelta(minutes=30)
    acme = Scope({"watchlist": ["Acme"]})
    with engine.connect() as connection:
        found = explain(connection, Excess(acme, start, end, 41, 1.0))
        [cluster] = found.clusters.values()
        by_bucket = cluster_buckets(connection, cluster, acme, timedelta(minutes=5), start, end)
        changed = changes_since(connection, acme, start, end, since=SURGE_AT - timedelta(days=1))
    [forum] = found.drivers["source"]
    assert (forum["name"], forum["negative"], forum["total"]) == ("forum", 41, 51)
    assert "watchlist" not in found.drivers
    assert [sum(getattr(one, name) for one in by_bucket) for name in ("negative", "copies")] == [30, 29]
    assert (changed.late, changed.revised) == (110, 0)
