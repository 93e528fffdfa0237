"""Many receivers at once: none holds up another, each has its pace, and one that is away is probed."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.delivery.notifiers.contract import OK, Delivery, Notifier
from alerts.delivery.notifiers.slack import SlackNotifier
from alerts.delivery.notifiers.webhook import WebhookNotifier
from alerts.delivery.notifiers.wecom import WecomNotifier
from alerts.delivery.pipeline import Deliverer
from alerts.telling import Receiver
from core.clock import MovableClock
from storage import notifications, receiver_states
from storage.engine import connect
from storage.notifications import NotificationRow
from storage.tables import notification
from tests.support.inbox import Answer, Inbox, dripping, endless, hanging, open_inbox, reply
from tests.support.rows import add_incident
from tests.support.waiting import wait_for

NOW = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends what a misbehaving server does for ever."""
    event = threading.Event()
    yield event
    event.set()


class Told:
    """Takes every message, or none, and remembers them."""

    def __init__(self) -> None:
        self.answer: Delivery = OK
        self.ids: list[str] = []

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        self.ids.append(delivery_id)
        return self.answer

    def close(self) -> None: ...


def put(engine: Engine, to: Receiver, *deliveries: str) -> None:
    """Each about an incident of its own."""
    with engine.begin() as connection:
        for delivery in deliveries:
            number = add_incident(connection, fingerprint=delivery.rjust(16, "0"))
            row = NotificationRow(delivery, number, to.channel, to.name, {"version": "4"})
            notifications.enqueue(connection, [row], due_at=NOW)


def statuses(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        query = select(notification.c.delivery_id, notification.c.status)
        return {row.delivery_id: row.status for row in connection.execute(query)}


def last_error(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return connection.scalar(select(notification.c.last_error))


def test_a_receiver_that_hangs_delays_nobody(engine: Engine, inbox: Inbox, stop: threading.Event) -> None:
    """While one says nothing, messages of others go out in this round and in the next."""
    slow, quick = Receiver("webhook", "slow"), Receiver("slack", "quick")
    inbox.answers = [hanging(stop)]
    told = Told()
    hung = WebhookNotifier(inbox.url, allow_private=True, timeout_seconds=20)
    deliverer = Deliverer(engine, {slow: hung, quick: told}, attempts=3, clock=MovableClock(NOW))
    put(engine, slow, "s1")
    put(engine, quick, "q1")
    deliverer.run(patience_seconds=0.2)
    wait_for(lambda: told.ids == ["q1"], 5, "the first message of the quick one")
    put(engine, quick, "q2")
    wait_for(
        lambda: deliverer.run(patience_seconds=0.05) is not None and told.ids == ["q1", "q2"], 5, "its second message"
    )
    assert len(inbox.requests) == 1
    stop.set()
    deliverer.close()
    assert statuses(engine)["s1"] == "pending"


@pytest.mark.parametrize("answer", ["hanging", "dripping", "endless"])
def test_a_server_that_never_ends_costs_its_time_limit(
    engine: Engine, inbox: Inbox, stop: threading.Event, answer: str
) -> None:
    """Neither silence, nor one byte at a time, nor an endless body holds a lane or fills the memory."""
    answers: dict[str, Answer] = {
        "hanging": hanging(stop), "dripping": dripping(stop), "endless": endless(stop),
    }  # fmt: skip
    inbox.answers = [answers[answer]]
    robot = Receiver("wecom", "robot")
    put(engine, robot, "d1")
    notifier = WecomNotifier(inbox.url, allow_private=True, timeout_seconds=0.5)
    deliverer = Deliverer(engine, {robot: notifier}, attempts=3, clock=MovableClock(NOW))
    assert deliverer.run() == {"retried": 1}
    assert last_error(engine) in ("no answer within 0.5 s", "the answer is too long")


def test_a_huge_body_is_not_read_where_the_status_says_it_all(
    engine: Engine, inbox: Inbox, stop: threading.Event
) -> None:
    """A webhook that answers 200 has it, whatever it writes after that."""
    inbox.answers = [endless(stop)]
    hook = Receiver("webhook", "hook")
    put(engine, hook, "d1")
    notifier = WebhookNotifier(inbox.url, allow_private=True, timeout_seconds=5)
    assert Deliverer(engine, {hook: notifier}, attempts=3, clock=MovableClock(NOW)).run() == {"delivered": 1}


def test_retry_after_is_kept_to_the_second(engine: Engine, inbox: Inbox) -> None:
    """All messages of a receiver that says 429 wait as long as it asks; then they go out."""
    inbox.answers = [reply(status=429, headers={"Retry-After": "90"})]
    chat, clock = Receiver("slack", "chat"), MovableClock(NOW)
    put(engine, chat, "d1", "d2")
    notifier = SlackNotifier(inbox.url, allow_private=True)
    deliverer = Deliverer(engine, {chat: notifier}, attempts=3, clock=clock)
    assert deliverer.run() == {"retried": 1}
    clock.advance(timedelta(seconds=89))
    assert deliverer.run() == {}
    clock.advance(timedelta(seconds=1))
    assert deliverer.run() == {"delivered": 2}


def test_a_robot_that_answers_200_and_a_code_is_understood(engine: Engine, inbox: Inbox) -> None:
    """45009 waits a minute, 93000 is given up with its cause, 0 is delivered."""
    inbox.answers = [reply(json.dumps({"errcode": code, "errmsg": "key=abc"}).encode()) for code in (45009, 93000, 0)]
    robot, clock = Receiver("wecom", "robot"), MovableClock(NOW)
    put(engine, robot, "d1")
    notifier = WecomNotifier(inbox.url, allow_private=True)
    deliverer = Deliverer(engine, {robot: notifier}, attempts=3, clock=clock)
    assert deliverer.run() == {"retried": 1}
    assert last_error(engine) == "code 45009: sent too fast"
    clock.advance(timedelta(seconds=61))
    assert deliverer.run() == {"dead": 1}
    assert last_error(engine) == "code 93000: there is no such robot; see `url`"
    with engine.begin() as connection:
        assert notifications.revive(connection, [], now=clock.now()) == ["d1"]
    assert deliverer.run() == {"delivered": 1}


def test_two_schedulers_and_a_restart_share_one_pace(engine: Engine) -> None:
    """Twenty a minute are twenty, whoever sends them; what is over waits and is not lost."""
    robot, clock, told = Receiver("wecom", "robot", per_minute=20), MovableClock(NOW), Told()
    ids = [f"d{n}" for n in range(30)]
    put(engine, robot, *ids)
    sent: list[tuple[datetime, int]] = []
    for step in range(60):
        for _ in range(2):  # each time new: nothing is kept in memory
            Deliverer(engine, {robot: told}, attempts=3, clock=clock).run()
        sent.append((clock.now(), len(told.ids)))
        clock.advance(timedelta(seconds=2))
        if step == 29:
            assert len(told.ids) <= 20
    assert sorted(told.ids) == sorted(ids)
    counts = [count for _, count in sent]
    assert max(later - earlier for earlier, later in zip(counts, counts[30:], strict=False)) <= 20


def test_a_dead_channel_is_probed_and_not_hammered(engine: Engine) -> None:
    """Fifty messages wait for a receiver that is away: a few attempts in ten minutes, none lost; then all arrive."""
    away, clock, told = Receiver("webhook", "away"), MovableClock(NOW), Told()
    told.answer = Delivery("retryable", "HTTP 503")
    ids = [f"d{n}" for n in range(50)]
    put(engine, away, *ids)
    deliverer = Deliverer(engine, {away: told}, attempts=12, clock=clock)
    for _ in range(120):
        deliverer.run()
        clock.advance(timedelta(seconds=5))
    assert len(told.ids) < 20
    with engine.connect() as connection:
        [state] = receiver_states.all_states(connection)
        assert receiver_states.paused(connection, clock.now()) in (0, 1)
    assert (state.failures, state.last_error) == (len(told.ids), "HTTP 503")
    told.answer, tried = OK, len(told.ids)
    clock.advance(timedelta(hours=1))
    deliverer.run()
    assert set(told.ids[tried:]) == set(ids)
    assert set(statuses(engine).values()) == {"delivered"}


def test_ten_failing_receivers_leave_room_for_the_eleventh(engine: Engine) -> None:
    """There are fewer lanes than receivers; each gets its turn."""
    clock, told = MovableClock(NOW), Told()
    failing: dict[Receiver, Notifier] = {}
    for n in range(10):
        receiver, notifier = Receiver("webhook", f"away{n}"), Told()
        notifier.answer = Delivery("retryable", "ConnectTimeout")
        failing[receiver] = notifier
        put(engine, receiver, f"a{n}")
    good = Receiver("slack", "good")
    put(engine, good, "g")
    Deliverer(engine, {**failing, good: told}, attempts=3, clock=clock).run()
    assert told.ids == ["g"]
