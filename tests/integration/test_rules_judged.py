"""Rules over real counts: watchlists, filters and independent voices; and what a change of a rule does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from alerts.detection.rules import CAMPAIGN_ALERT, DEFAULT_RULES, Rule
from alerts.evaluate import EvaluateOptions
from alerts.rulebook.entries import definition_of, rule_of
from core.clock import MovableClock
from opinion.detection import DetectJob
from opinion.rules_file import RulesFile
from storage import bucket_counts, incidents, rules
from storage.engine import connect
from storage.tables import detector_state, incident_event
from tests.integration.test_alerts_evaluate import END, NOW, OPTIONS, START, SURGE_AT, found, judge, load, story
from tests.support.copies import LETTERS, STORY
from tests.support.minutes import MINUTE, Minute, add_mentions, surge, usual_day
from tests.support.records import row, says
from tests.support.rows import store_rows

HOUR = timedelta(hours=1)
DAY_END = START + timedelta(hours=34)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def calm() -> list[Minute]:
    """34 hours in which nothing happens."""
    minutes = int((END - START) / MINUTE)
    return usual_day(START, minutes, source="weibo", topic="automobile")


def watch(engine: Engine, minutes: Sequence[Minute], watchlist: str = "acme") -> None:
    """Documents, all of which mention a watchlist."""
    load(engine, minutes)
    with engine.begin() as connection:
        add_mentions(connection, minutes, watchlist)


def told(engine: Engine) -> list[dict[str, str]]:
    """The labels of all incidents."""
    with engine.connect() as connection:
        return sorted((one.labels for one in incidents.newest(connection)), key=lambda one: sorted(one.items()))


def with_rules(*wanted: Rule) -> EvaluateOptions:
    return replace(OPTIONS, rules=wanted)


def put(engine: Engine, *wanted: Rule) -> None:
    with engine.begin() as connection:
        rules.put(connection, {rule.name: definition_of(rule) for rule in wanted}, by="li")


def carried(times: int, *, is_copied: bool, start: int = 0) -> list[Any]:
    """One story that so many outlets carry within 40 minutes, or as many stories that have nothing in common."""
    return [
        row(
            f"weibo:{start + nth}",
            start + nth,
            text=f"【转载{nth % 4}】{STORY}" if is_copied else "".join(Random(nth).sample(LETTERS, 40)),
            lang="zh",
            source="weibo",
            published_at=SURGE_AT + nth * timedelta(minutes=40) / times,
            topic_label="automobile",
            mentions=[says("acme")],
        )
        for nth in range(times)
    ]


def test_a_watchlist_is_judged_by_what_is_said_of_it(engine: Engine) -> None:
    """Its own series fires, another's does not; so do the documents together, which are the same ones."""
    watch(engine, calm())
    watch(engine, calm(), "bolt")
    watch(engine, surge(SURGE_AT, 40, source="weibo", topic="automobile"))
    judge(engine, with_rules(Rule("by-watchlist", ("watchlist",))))
    assert told(engine) == [{"alertname": "NegativeSurge", "rule": "by-watchlist", "watchlist": "acme"}]


def test_a_wire_story_that_fifty_carry_is_no_surge(engine: Engine) -> None:
    """Fifty copies of one negative story are one voice, in every default rule: a campaign of copies, and no surge of
    negative opinion; the raw counts stay beside it."""
    watch(engine, calm())
    store_rows(engine, carried(50, is_copied=True))
    judge(engine)
    assert {one["alertname"] for one in told(engine)} == {CAMPAIGN_ALERT}
    with engine.connect() as connection:
        [total] = bucket_counts.group_totals(
            connection, "watchlist", SURGE_AT, SURGE_AT + HOUR, where={"lang": "zh", "topic": ["automobile"]}
        )
    assert total.negative - total.independent_negative == 49
    assert total.total - total.independent == 49


def test_fifty_voices_raise_an_incident_whose_evidence_is_theirs(engine: Engine) -> None:
    """The same number of documents of as many minds is a surge; the evidence says of what, and counts every copy."""
    watch(engine, calm())
    store_rows(engine, carried(50, is_copied=False))
    judge(engine, with_rules(Rule("by-watchlist", ("watchlist",))))
    with engine.connect() as connection:
        [row_] = incidents.newest(connection)
        body = incidents.newest_evidence(connection, [row_.id])[row_.id]
    assert body["scope"] == {"watchlist": ["acme"]}
    assert body["raw"]["negative"] >= body["observed"] > 3 * body["expected"]
    assert len(body["documents"]) == 3
    assert "acme" in row_.annotations["summary_zh"]


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        (Rule("x", ("source",), where=(("topic", ("automobile",)),)), [("weibo",)]),
        (Rule("x", ("source",), where=(("topic", ("sports",)),)), []),
        (Rule("x", ("topic", "source")), [("automobile", "weibo")]),
        (Rule("x", ("lang",), where=(("kind", ("news",)),)), []),
        (Rule("x", (), where=(("source", ("weibo", "news")), ("lang", ("zh",)))), [()]),
        (Rule("x", (), where=(("source", ("weibo",)),)), [()]),
        (Rule("x", ("topic",), "total"), [("automobile",)]),
        (Rule("x", ("topic",), min_per_hour=10_000), []),
        (Rule("x", ("topic",), threshold=100.0), []),
        (Rule("x", ("topic",), is_enabled=False), []),
    ],
)
def test_filters_groups_and_sensitivity_decide_what_fires(
    engine: Engine, rule: Rule, keys: list[tuple[str, ...]]
) -> None:
    """Cars turn bad on weibo: each rule sees what it is about, and nothing else."""
    load(engine, story())
    judge(engine, with_rules(rule))
    assert told(engine) == [rule.labels(key) for key in keys]


def test_severity_is_kept_within_what_the_rule_says(engine: Engine) -> None:
    """An incident of a minor rule is never critical."""
    load(engine, story())
    judge(engine, with_rules(Rule("x", severity_at_most="info")))
    with engine.connect() as connection:
        assert [one.severity for one in incidents.newest(connection)] == ["info"]


@pytest.mark.parametrize("seed", [2, 5])
def test_documents_in_any_order_give_the_same_incidents(engine: Engine, seed: int) -> None:
    """Copies among them: which of them is the voice follows from the times of publication, not of arrival."""
    random = Random(seed)
    documents = carried(40, is_copied=True) + carried(40, is_copied=False, start=100)

    def incidents_of(batches: Sequence[Sequence[Any]], *, is_judged_between: bool) -> list[tuple[Any, ...]]:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "TRUNCATE document, document_key, document_revision, mention, opinion_minute, watchlist_minute, "
                "detector_state, incident, copy_text, copy_band, copy_cluster CASCADE"
            )
        watch(engine, until(calm(), SURGE_AT + timedelta(minutes=40)))
        for batch in batches:
            store_rows(engine, batch)
            if is_judged_between:
                judge(engine)
        watch(engine, after(calm(), SURGE_AT + timedelta(minutes=40)))
        judge(engine)
        return found(engine)

    by_time = sorted(documents, key=lambda one: one.published_at)
    expected = incidents_of([by_time], is_judged_between=False)
    assert {dict(one[0]).get("watchlist") for one in expected} == {None, "acme"}
    shuffled = random.sample(documents, len(documents))
    size = random.choice([7, 13])
    batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    assert incidents_of(batches, is_judged_between=False) == expected
    assert incidents_of(batches, is_judged_between=True) == expected


@dataclass
class Drained:
    """A broker that has nothing left to read."""

    standings_: dict[int, Any] = field(default_factory=lambda: {0: Log(0, 0)})

    def standings(self) -> dict[int, Any]:
        return self.standings_

    def close(self) -> None: ...


@dataclass(frozen=True)
class Log:
    start: int
    end: int


@dataclass
class Live:
    """The detect job, run again and again while its rules change."""

    engine: Engine
    file: RulesFile | None = None

    def __post_init__(self) -> None:
        self.clock = MovableClock(NOW)
        self.job = DetectJob(self.engine, Drained(), "raw", replace(OPTIONS, rules=()), self.clock, self.file)  # type: ignore[arg-type]

    def run(self) -> list[tuple[str, str]]:
        """Two runs: a sighting is trusted once time has passed. Rules and status of all incidents."""
        for _ in range(2):
            self.job(lambda: False)
            self.clock.advance(MINUTE)
        with self.engine.connect() as connection:
            return sorted((one.rule, one.status) for one in incidents.newest(connection))


def states(engine: Engine, part: str) -> dict[str, tuple[int, datetime]]:
    """By series: how many buckets it has seen, and to where."""
    query = select(detector_state).where(detector_state.c.series.contains(part, autoescape=True))
    with engine.connect() as connection:
        return {
            one.series: (one.state["detector"]["seen_buckets"], one.cursor_at)
            for one in connection.execute(query)
            if "detector" in one.state
        }


def until(minutes: Sequence[Minute], at: datetime) -> list[Minute]:
    return [m for m in minutes if m.at < at]


def after(minutes: Sequence[Minute], at: datetime) -> list[Minute]:
    return [m for m in minutes if m.at >= at]


def test_a_new_rule_holds_at_the_next_run_and_is_not_blind(engine: Engine) -> None:
    """Made half an hour before the surge, it knows the day before; it tells nothing of what was over by then."""
    live = Live(engine)
    put(engine, *(replace(rule, is_enabled=False) for rule in DEFAULT_RULES))
    earlier = surge(START + timedelta(hours=20), 40, source="news", topic="sports")
    minutes = story() + earlier
    load(engine, until(minutes, SURGE_AT - MINUTE * 30))
    assert live.run() == []
    put(engine, Rule("cars", where=(("topic", ("automobile",)),)), Rule("sports", where=(("topic", ("sports",)),)))
    assert live.run() == []
    [(seen, _)] = states(engine, "|cars|").values()
    assert seen > 300
    load(engine, after(minutes, SURGE_AT - MINUTE * 30))
    assert live.run() == [("cars", "resolved")]


def test_a_sensitivity_keeps_what_was_learned_and_a_filter_does_not(engine: Engine) -> None:
    """The series goes on, or another one begins, from the counts that are stored."""
    live = Live(engine)
    rule = Rule("cars", where=(("topic", ("automobile",)),))
    put(engine, rule)
    load(engine, until(story(), SURGE_AT - HOUR))
    live.run()
    [name] = states(engine, "|cars|")
    put(engine, replace(rule, sensitivity="high"))
    live.run()
    assert list(states(engine, "|cars|")) == [name]
    put(engine, replace(rule, where=(("topic", ("automobile", "sports")),)))
    live.run()
    both = states(engine, "|cars|")
    assert len(both) == 2
    assert both[name][0] <= next(seen for one, (seen, _) in both.items() if one != name)


def test_what_no_rule_watches_is_resolved_and_the_reason_is_kept(engine: Engine) -> None:
    """A rule is disabled while it fires; the others fire on."""
    live = Live(engine)
    load(engine, until(story(), SURGE_AT + MINUTE * 30))
    firing = [("by-source", "firing"), ("by-topic", "firing"), ("overall", "firing")]
    assert live.run() == firing
    put(engine, Rule("by-topic", ("topic",), is_enabled=False))
    assert live.run() == [("by-source", "firing"), ("by-topic", "resolved"), ("overall", "firing")]
    with engine.connect() as connection:
        query = select(incident_event.c.detail).where(incident_event.c.transition == "resolved")
        assert connection.scalar(query) == {"reason": "its rule was removed, disabled or changed"}
    with engine.begin() as connection:
        rules.remove(connection, "by-topic", by="li")
    assert live.run() == firing


def test_a_rule_broken_by_sql_stops_nobody(engine: Engine) -> None:
    """It is left as it stands, what it found too, and the others are judged."""
    live = Live(engine)
    load(engine, until(story(), SURGE_AT + MINUTE * 30))
    put(engine, rule_of("by-topic", {"group_by": ["topic"]}))
    before = live.run()
    with engine.begin() as connection:
        connection.execute(text("""UPDATE rule SET definition = '{"topic": 7}', revision = revision + 1"""))
    assert live.run() == before
    load(engine, after(story(), SURGE_AT + MINUTE * 30))
    assert live.run() == [("by-source", "resolved"), ("by-topic", "firing"), ("overall", "resolved")]


def test_a_rules_file_is_read_again_when_it_changes(engine: Engine, tmp_path: Path) -> None:
    """Also one that was broken meanwhile: what it said before holds until it can be read."""
    path = tmp_path / "rules.yaml"

    def owned() -> list[str]:
        with engine.connect() as connection:
            return [one.name for one in rules.active(connection) if one.file == str(path)]

    path.write_text("rules:\n- name: one\n  topic: a\n", encoding="utf-8")
    live = Live(engine, RulesFile(path))
    live.run()
    assert owned() == ["one"]
    path.write_text("rules:\n- name: two\n  topics: a\n", encoding="utf-8")
    live.run()
    assert owned() == ["one"]
    path.write_text("rules:\n- name: two\n  topic: [a, b]\n", encoding="utf-8")
    live.run()
    assert owned() == ["two"]
    path.unlink()
    live.run()
    assert owned() == ["two"]
