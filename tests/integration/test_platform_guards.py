"""The platform-wide guard, roll-up, model switches and late marks over real tables."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from alerts.detection.model_switches import KNOWN_EXTRA
from alerts.evaluate import evaluate
from storage import bucket_counts, incident_members, incidents, model_switches
from storage.engine import connect
from storage.model_switches import OverlapRow
from storage.tables import incident, incident_event, notification
from tests.integration.test_alerts_evaluate import (
    END,
    NOW,
    OPTIONS,
    START,
    SURGE_AT,
    found,
    judge,
    load,
    story,
)
from tests.support.minutes import MINUTE, Minute, surge, usual_day

TOPICS = [f"topic-{n}" for n in range(12)]
LENGTH = int((END - START) / MINUTE)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def usual() -> list[Minute]:
    """Twelve topics of two sources."""
    return [m for n, t in enumerate(TOPICS) for m in usual_day(START, LENGTH, source=f"source-{n % 2}", topic=t)]


def everywhere(topics: Sequence[str]) -> list[Minute]:
    return [m for n, t in enumerate(topics) for m in surge(SURGE_AT, 40, source=f"source-{n % 2}", topic=t)]


def rows(engine: Engine, alert: str) -> list[incidents.IncidentRow]:
    with engine.connect() as connection:
        return [row for row in incidents.newest(connection) if row.labels["alertname"] == alert]


def sent(engine: Engine, channel: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        query = select(notification.c.payload).where(notification.c.channel == channel)
        return list(connection.scalars(query.order_by(notification.c.number)))


def judge_in_steps(engine: Engine, minutes: Sequence[Minute], step: timedelta) -> None:
    """As the stream comes in, from an hour before the surge on."""
    ordered, at = sorted(minutes, key=lambda m: m.at), SURGE_AT - timedelta(hours=1)
    load(engine, [m for m in ordered if m.at < at])
    judge(engine)
    while at < END:
        load(engine, [m for m in ordered if at <= m.at < at + step])
        judge(engine)
        at += step


def test_a_surge_of_most_topics_is_one_incident_with_members(engine: Engine) -> None:
    """Ten of twelve topics turn bad at once: one incident of the platform, the others attached and kept quiet."""
    load(engine, usual() + everywhere(TOPICS[:10]))
    judge(engine)
    [platform] = rows(engine, "PlatformSurge")
    members = rows(engine, "NegativeSurge")
    assert platform.status == "resolved"
    assert platform.observed == len(members) >= 10
    with engine.connect() as connection:
        assert {m.id for m in incident_members.of(connection, [platform.id])[platform.id]} == {m.id for m in members}
        inhibited = set(
            connection.scalars(select(incident_event.c.incident_id).where(incident_event.c.transition == "inhibited"))
        )
    assert inhibited == {m.id for m in members}
    hooks = sent(engine, "webhook")
    assert [body["status"] for body in hooks] == ["firing", "resolved"]
    assert [body["alerts"][0]["labels"]["alertname"] for body in hooks] == ["PlatformSurge"] * 2
    assert len(hooks[0]["alerts"]) == 1 + len(members)
    assert len(sent(engine, "kafka")) == 2 * (1 + len(members))


def test_what_was_told_before_it_was_general_is_ended_for_everyone(engine: Engine) -> None:
    """Judged minute by minute the first topics are told before the whole; whoever was told hears of the end."""
    judge_in_steps(engine, usual() + everywhere(TOPICS[:10]), timedelta(minutes=10))
    [platform] = rows(engine, "PlatformSurge")
    told: dict[int, list[str]] = {}
    with engine.connect() as connection:
        for event in connection.execute(
            select(incident_event).where(incident_event.c.transition == "told").order_by(incident_event.c.id)
        ):
            told.setdefault(event.incident_id, []).append(event.detail["status"])
    assert told[platform.id] == ["firing", "resolved"]
    assert all(statuses[-1] == "resolved" for statuses in told.values())
    assert len(told) < len(rows(engine, "NegativeSurge"))


def test_the_schedule_of_runs_does_not_matter_to_the_platform(engine: Engine) -> None:
    """Judged in steps or at the end, the platform-wide incident is the same."""
    minutes = usual() + everywhere(TOPICS[:10])
    load(engine, minutes)
    judge(engine)
    expected = found(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE opinion_minute, detector_state, incident CASCADE")
    judge_in_steps(engine, minutes, timedelta(minutes=35))
    assert found(engine) == expected


def test_one_topic_in_all_its_sources_is_no_platform_matter(engine: Engine) -> None:
    """Everything, the topic and its source fire, as always."""
    load(engine, usual() + everywhere(TOPICS[:1]))
    judge(engine)
    assert len(rows(engine, "NegativeSurge")) >= 2
    assert rows(engine, "PlatformSurge") == []


def test_a_message_names_its_parts(engine: Engine) -> None:
    """The topic that explains it all speaks; everything and the source are its members, for dashboards, too."""
    load(engine, story())
    judge(engine)
    with engine.connect() as connection:
        pairs = connection.execute(text("SELECT incident_id, member_id FROM bi.alert_member")).all()
        labels = {row.id: row.labels for row in incidents.newest(connection)}
    [speaker] = {pair.incident_id for pair in pairs}
    assert labels[speaker].get("topic") == "automobile" or labels[speaker].get("source") == "weibo"
    assert {pair.member_id for pair in pairs} == labels.keys() - {speaker}


def test_an_alert_that_late_documents_raise_says_so(engine: Engine) -> None:
    """The surge itself comes forty minutes late: its incidents and events are marked, also after they changed."""
    minutes = sorted(story(), key=lambda m: m.at)
    late = [m for m in minutes if m.negative == 4 and m.at < SURGE_AT + timedelta(minutes=20)]
    stop = SURGE_AT + timedelta(minutes=50)
    load(engine, [m for m in minutes if m.at < stop and m.negative != 4])
    judge(engine)
    assert found(engine) == []
    load(engine, late)
    judge(engine)
    opened = rows(engine, "NegativeSurge")
    assert opened
    for row in opened:
        assert int(row.annotations["late_minutes"]) >= 20
        assert "late documents" in row.annotations["summary"]
    load(engine, [m for m in minutes if m.at >= stop and m.negative != 4])
    judge(engine)
    assert all("late_minutes" in event["annotations"] for event in sent(engine, "kafka"))
    assert all("late_minutes" in row.annotations for row in rows(engine, "NegativeSurge"))


def test_an_alert_in_time_is_not_marked(engine: Engine) -> None:
    """A surge that is judged as it comes in, or in a backlog that is caught up, is not late by documents."""
    judge_in_steps(engine, story(), timedelta(minutes=10))
    assert all("late_minutes" not in event["annotations"] for event in sent(engine, "kafka"))
    assert len(sent(engine, "kafka")) >= 2


SWITCH_AT = START + timedelta(hours=24)


def by_models(seed: int = 5, topics: int = 12) -> list[tuple[Any, ...]]:
    """Twelve busy topics for 30 hours; after 24 another model calls twice as many negative."""
    random, made = Random(seed), []
    for n in range(topics):
        for nth in range(0, 30 * 60, 5):
            at = START + nth * MINUTE
            is_new = at >= SWITCH_AT
            total = random.randint(20, 40)
            negative = sum(random.random() < (0.4 if is_new else 0.2) for _ in range(total))
            made.append((at, f"topic-{n}", "new" if is_new else "old", negative, total))
    return made


def add(engine: Engine, counts: Sequence[tuple[Any, ...]]) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO opinion_minute
                    (bucket_at, source, kind, lang, topic_label, model_version, total, negative)
                VALUES (:at, 'weibo', 'post', 'zh', :topic, :model, :total, :negative)
            """),
            [dict(zip(("at", "topic", "model", "negative", "total"), row, strict=True)) for row in counts],
        )


def test_without_the_model_it_would_be_a_surge_everywhere(engine: Engine) -> None:
    """The same counts under one model's name: every topic fires, and it is a matter of the platform."""
    add(engine, [(at, topic, "old", negative, total) for at, topic, _, negative, total in by_models()])
    judge(engine)
    assert len(rows(engine, "NegativeSurge")) > 12
    assert len(rows(engine, "PlatformSurge")) == 1


@pytest.mark.parametrize("is_overlap_known", [True, False])
def test_a_new_model_raises_nothing_and_is_marked(engine: Engine, is_overlap_known: bool) -> None:
    """No incident, neither from texts that both judged nor from the shares alone, and a mark for charts."""
    if is_overlap_known:
        with engine.begin() as connection:
            model_switches.save_overlap(connection, "old", "new", [OverlapRow("", "", 500, 100, 200)])
    add(engine, by_models())
    judge(engine)
    assert found(engine) == []
    with engine.connect() as connection:
        [switch] = model_switches.switches(connection, START, END)
        marks = connection.execute(text("SELECT at, new_version FROM bi.model_switch WHERE clock = 'all'")).all()
    assert (switch.at, switch.old_version, switch.new_version) == (SWITCH_AT, "old", "new")
    assert switch.basis == ("overlap" if is_overlap_known else "estimate")
    assert switch.factor == pytest.approx(2.0, rel=0.1)
    assert [tuple(mark) for mark in marks] == [(SWITCH_AT, "new")]
    assert KNOWN_EXTRA > 0


def with_surge() -> list[tuple[Any, ...]]:
    """One topic quadruples an hour after the new model has taken over."""
    return [
        (at, topic, model, negative * 4, total + negative * 3)
        if topic == "topic-3" and SWITCH_AT + timedelta(hours=1) <= at < SWITCH_AT + timedelta(hours=2)
        else (at, topic, model, negative, total)
        for at, topic, model, negative, total in by_models()
    ]


def test_a_true_surge_after_the_switch_is_found(engine: Engine) -> None:
    """That topic alone is found."""
    add(engine, with_surge())
    judge(engine)
    assert {row.labels.get("topic") for row in rows(engine, "NegativeSurge")} >= {"topic-3"}
    assert len([row for row in rows(engine, "NegativeSurge") if "topic" in row.labels]) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(incident.c.id).where(incident.c.rule == "platform-guard")) is None


@pytest.mark.parametrize(("seed", "partitions"), [(2, 7)])
def test_stalled_partitions_and_restarts_change_nothing(engine: Engine, seed: int, partitions: int) -> None:
    """Each partition brings its part in order, at its own pace, some hours behind: the incidents, what is made of the
    new model and what was learned are those of one run at the end."""
    counts = sorted(with_surge())
    add(engine, counts)
    judge(engine)
    expected = (found(engine), seen_switches(engine))
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE opinion_minute, detector_state, incident, model_switch CASCADE")
    random = Random(seed)
    left = [counts[n::partitions] for n in range(partitions)]
    while any(left):
        mine = random.choice([part for part in left if part])
        add(engine, [mine.pop(0) for _ in range(min(len(mine), random.choice([20, 150, 600])))])
        settled = min((part[0][0] - MINUTE for part in left if part), default=END)
        with engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=settled)
            evaluate(connection, newest, OPTIONS, now=NOW)
    judge(engine)
    assert (found(engine), seen_switches(engine)) == expected
    assert expected[0]


def seen_switches(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [
            (clock, one.at, one.new_version, round(one.factor or 0, 5), one.basis)
            for clock in ("all", "source=weibo")
            for one in model_switches.switches(connection, START, END, clock=clock)
        ]
