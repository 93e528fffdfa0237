"""Stories through the tables and the scheduler's tell job: restarts, two schedulers, digests, history."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text

from alerts.telling import Receiver
from core.clock import MovableClock
from core.records import IncidentState
from opinion.routing import TellJob
from storage import incident_care, incidents, subscriptions
from storage.engine import connect
from storage.tables import incident, notification, telling
from tests.support.rows import add_incident
from tests.support.timelines import Database, Timeline

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUIET = {"hours": "22:00-07:00", "zone": "Asia/Shanghai"}
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def night() -> Timeline:
    """Held, told, escalated, acknowledged, over; with a restart before each of them."""
    story = Timeline("2026-03-10 21:00", receivers=("desk", "lead", "boss"))
    steps = [{"after": "20m", "to": ["lead"]}, {"after": "1h", "to": ["boss"]}]
    story.subscription("day", who=["desk"], quiet=QUIET, escalate=steps)
    story.at("21:00").fires(1, topic="sports")
    story.expect("21:00", "desk", "new", 1)
    story.at("21:10").restarts()
    story.expect("21:20", "lead", "escalation", 1)
    story.at("21:40").is_acknowledged(1)
    story.at("22:10").ends(1)
    story.at("23:30").fires(2, topic="finance")
    story.at("+1 03:00").restarts()
    story.expect("+1 07:00", "desk", "held", 1, 2)
    story.expect("+1 07:00", "lead", "over", 1)
    story.at("+1 07:10").restarts()
    story.expect("+1 07:20", "lead", "escalation", 2)
    story.at("+1 07:50").is_acknowledged(2)
    story.at("+1 09:00").is_muted("topic=finance", until="+1 10:00")
    story.at("+1 09:30").ends(2)
    story.expect("+1 10:00", "desk", "over", 2)
    story.expect("+1 10:00", "lead", "over", 2)
    return story


@pytest.mark.parametrize("schedulers", [1, 2])
def test_a_night_with_restarts_and_rivals(engine: Engine, schedulers: int) -> None:
    """Everything is told once, whoever looks and whatever was restarted; all of one incident has one thread."""
    story = night()
    story.check(Database(engine, story.receivers, schedulers), every=TEN_MINUTES)
    with engine.connect() as connection:
        sent = connection.scalar(select(text("count(*)")).select_from(notification))
        threads = connection.execute(select(telling.c.receiver, telling.c.thread).distinct()).all()
    assert sent == 7
    assert len(threads) == 4


def test_the_same_night_in_memory() -> None:
    """The two worlds tell the same."""
    night().check(every=TEN_MINUTES)


def test_digests_come_at_their_local_time(engine: Engine) -> None:
    """Counts, the worst and what is open, daily and weekly; a day without anything has one, too; none comes twice."""
    story = Timeline("2026-03-10 20:00")  # a Tuesday
    digest = {"daily": "09:00", "weekly": "thu 09:30"}
    story.subscription("report", who=["desk"], digest=digest, instant=False, min_severity="warning")
    story.at("21:00").fires(1, topic="sports")
    story.at("22:00").fires(2, topic="finance")
    story.at("22:30").fires(3, "info", topic="automobile")
    story.at("23:00").ends(1)
    story.expect("+1 09:00", "desk", "daily", 1, 2)
    story.at("+1 09:30").restarts()
    story.at("+1 10:00").ends(2)
    story.expect("+2 09:00", "desk", "daily")
    story.expect("+2 09:30", "desk", "weekly", 1, 2)
    story.check(Database(engine, story.receivers, schedulers=2), until="+2 10:00", every=3 * TEN_MINUTES)
    with engine.connect() as connection:
        payload = connection.scalars(select(notification.c.payload).order_by(notification.c.number)).all()[0]
    assert payload["digest"]["began"] == {"warning": 2}
    assert payload["digest"]["ended"] == {"warning": 1}
    assert payload["digest"]["stillOpen"] == 1
    assert sorted(alert["status"] for alert in payload["alerts"]) == ["firing", "resolved"]


def test_a_digest_after_a_pause_covers_all_of_it(engine: Engine) -> None:
    """Nobody was there for three days: one digest, since the last one."""
    job = TellJob(engine, [Receiver("webhook", "desk")], "http://console", MovableClock(NOON))
    with engine.begin() as connection:
        subscriptions.put(connection, [("report", {"who": ["*"], "digest": {"daily": "09:00"}})], by="me")
        add_incident(connection, opened_at=NOON + timedelta(hours=1))
    job(lambda: False)
    job.clock.at = NOON + timedelta(days=3)  # type: ignore[attr-defined]
    job(lambda: False)
    with engine.connect() as connection:
        digests = [
            row.payload["digest"] for row in connection.execute(select(notification)) if "digest" in row.payload
        ]
    assert [(one["since"], one["until"]) for one in digests] == [
        ("2026-03-10T09:00:00+08:00", "2026-03-13T09:00:00+08:00")
    ]


def test_two_schedulers_at_the_same_moment_tell_once(engine: Engine) -> None:
    """They wait for each other, and the second finds nothing left."""
    with engine.begin() as connection:
        for nth in range(20):
            add_incident(connection, starts_at=NOON + timedelta(hours=nth), opened_at=NOON)
        subscriptions.put(connection, [("all", {"who": ["*"], "wait": "0"})], by="me")
    receivers = [Receiver("webhook", "desk"), Receiver("apprise", "chat")]
    jobs = [TellJob(engine, receivers, "http://console", MovableClock(NOON)) for _ in range(4)]
    threads = [threading.Thread(target=job, args=(lambda: False,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        sent = connection.execute(select(notification.c.incident_id, notification.c.receiver)).all()
    assert len(sent) == len(set(sent)) > 0


def test_a_subscription_written_wrongly_by_sql_silences_nobody(engine: Engine) -> None:
    """While none can be used, everybody hears of everything."""
    with engine.begin() as connection:
        connection.execute(text("""INSERT INTO subscription (name, definition) VALUES ('x', '{"who": 1}')"""))
        add_incident(connection, opened_at=NOON)
    TellJob(engine, [Receiver("webhook", "desk")], "http://console", MovableClock(NOON))(lambda: False)
    with engine.connect() as connection:
        assert connection.scalar(select(notification.c.receiver)) == "desk"


def test_sql_and_code_see_the_same_state(engine: Engine) -> None:
    """The column `state` and `IncidentRow.state`, in every combination."""
    wanted: list[tuple[dict[str, object], IncidentState]] = [
        ({}, "firing"),
        ({"is_pending": True}, "pending"),
        ({"acknowledged_at": NOON}, "acknowledged"),
        ({"acknowledged_at": NOON, "is_pending": True}, "pending"),
        ({"closed_at": NOON, "closed_score": 8.5}, "resolved"),
        ({"closed_at": NOON, "closed_score": 7.0}, "firing"),
        ({"closed_at": NOON, "closed_score": 7.0, "acknowledged_at": NOON}, "acknowledged"),
        ({"status": "resolved", "is_pending": True}, "resolved"),
        ({"status": "resolved", "acknowledged_at": NOON}, "resolved"),
    ]
    with engine.begin() as connection:
        for nth, (values, state) in enumerate(wanted):
            number = add_incident(connection, starts_at=NOON + timedelta(hours=nth), **values)
            assert incidents.one(connection, number).state == state, values
            assert connection.scalar(select(incident.c.state).where(incident.c.id == number)) == state, values
            assert incidents.newest(connection, state=state)[0].id == number


def test_what_people_do_stands_in_the_history(engine: Engine) -> None:
    """Who did what, in order; repeats write nothing."""
    with engine.begin() as connection:
        number = add_incident(connection)
        incident_care.acknowledge(connection, number, by="王芳")
        assert incident_care.acknowledge(connection, number, by="李雷").owner == "王芳"
        incident_care.assign(connection, number, "李雷", by="王芳")
        assert incident_care.assign(connection, number, "李雷", by="王芳").owner == "李雷"
        incident_care.comment(connection, number, "called them", by="李雷")
        assert incident_care.close(connection, number, by="李雷", comment="a joke").state == "resolved"
        incident_care.close(connection, number, by="李雷")
        assert incident_care.reopen(connection, number, by="王芳").state == "acknowledged"
        assert incident_care.unacknowledge(connection, number, by="王芳").owner is None
        lines = [(one.transition, one.actor, one.detail) for one in incident_care.history(connection, number)]
    assert lines[1:] == [
        ("acknowledged", "王芳", {}),
        ("assigned", "王芳", {"owner": "李雷"}),
        ("commented", "李雷", {"comment": "called them"}),
        ("closed", "李雷", {"comment": "a joke"}),
        ("reopened", "王芳", {}),
        ("unacknowledged", "王芳", {}),
    ]
