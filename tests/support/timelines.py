"""Alert timelines that read as timelines: what happens when, and who is told what at which minute, and nothing else.

    story = Timeline("2026-03-10 21:50", zone="Asia/Shanghai")
    story.subscription("night", who=["desk"], quiet={"hours": "22:00-07:00"})
    story.at("22:10").fires(1, topic="sports")
    story.expect("+1 07:00", "desk", "new", 1)
    story.check()

Time is moved, never waited for. `Memory` decides over rows in memory, `Database` through the tables and the job; both
run the same stories. After Alertmanager's acceptance tests (test/with_api_v2/acceptance).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, select, text, update

from alerts.detection.lifecycle import Transition
from alerts.routing.planning import Situation, plan
from alerts.routing.silencing import silence
from alerts.routing.subscriptions import EVERYTHING, subscription_of
from alerts.telling import Receiver, tell
from core.clock import MovableClock
from opinion.routing import TellJob
from storage import detector_states, subscriptions
from storage.incidents import IncidentRow
from storage.silences import SilenceRow
from storage.tables import incident, incident_event, notification
from storage.tellings import Telling

Sent = tuple[str, str, str, tuple[int, ...]]
MINUTE = timedelta(minutes=1)


def row(number: int, at: datetime, labels: dict[str, str], severity: str) -> IncidentRow:
    """An incident that begins to fire."""
    values: dict[str, Any] = {
        "id": number,
        "fingerprint": f"{number:016x}",
        "rule": "overall",
        "labels": {"alertname": "NegativeSurge", "rule": "overall", **labels},
        "severity": severity,
        "status": "firing",
        "starts_at": at,
        "ends_at": None,
        "detected_at": at,
        "last_fired_at": at,
        "observed": 40.0,
        "expected": 5.0,
        "score": 8.0,
        "notified_score": 8.0,
        "annotations": {},
        "acknowledged_at": None,
        "acknowledged_by": None,
        "told": None,
        "opened_at": at,
    }
    return IncidentRow(**values)


class World(Protocol):
    """Where a story takes place."""

    def subscribe(self, name: str, definition: dict[str, Any]) -> None: ...
    def begin(self, row: IncidentRow, now: datetime) -> None: ...
    def change(self, number: int, transition: Transition | None, now: datetime, **values: Any) -> None: ...
    def mute(self, matchers: Sequence[str], now: datetime, until: datetime) -> None: ...
    def look(self, now: datetime) -> list[tuple[str, str, tuple[int, ...]]]: ...
    def restart(self) -> None: ...


class Memory:
    """Rows in memory and the pure plan."""

    def __init__(self, receivers: Sequence[str]) -> None:
        self._receivers = receivers
        self._rows: dict[int, IncidentRow] = {}
        self._known: dict[int, dict[tuple[Any, str], Telling]] = {}
        self._subscriptions: list[Any] = []
        self._silences: list[SilenceRow] = []
        self._opened: set[int] = set()

    def subscribe(self, name: str, definition: dict[str, Any]) -> None:
        self._subscriptions.append(subscription_of(name, definition))

    def begin(self, row: IncidentRow, now: datetime) -> None:
        self._rows[row.id] = row
        if not row.is_pending:
            self._opened.add(row.id)

    def change(self, number: int, transition: Transition | None, now: datetime, **values: Any) -> None:
        if transition == "opened":
            self._opened.add(number)
        self._rows[number] = replace(self._rows[number], **values)

    def mute(self, matchers: Sequence[str], now: datetime, until: datetime) -> None:
        self._silences.append(SilenceRow(len(self._silences), list(matchers), now, until, "me", ""))

    def look(self, now: datetime) -> list[tuple[str, str, tuple[int, ...]]]:
        in_force = [one for one in self._silences if one.starts_at <= now < one.ends_at]
        rows = list(self._rows.values())
        known = {number: dict(tellings) for number, tellings in self._known.items()}
        situation = Situation(rows, known, self._subscriptions or [EVERYTHING], in_force, self._opened, now)
        sent = []
        for receiver in self._receivers:
            made = plan("webhook", receiver, situation)
            for number, telling in made.tellings.items():
                self._known.setdefault(number, {})["webhook", receiver] = telling
            sent += [(receiver, m.kind, tuple(sorted(one.id for one in m.members))) for m in made.messages]
        self._opened.clear()
        return sent

    def restart(self) -> None:
        """Nothing is kept but the rows."""


class Database:
    """The tables, `tell` and one or more schedulers' tell jobs."""

    def __init__(self, engine: Engine, receivers: Sequence[str], schedulers: int = 1) -> None:
        self._engine = engine
        self._receivers = [Receiver("webhook", name) for name in receivers]
        self._schedulers = schedulers
        self._clock = MovableClock(datetime(2000, 1, 1, tzinfo=UTC))
        self._seen_events = self._seen_messages = 0
        self.restart()

    def restart(self) -> None:
        """New jobs: whatever they knew is gone."""
        self.jobs = [
            TellJob(self._engine, self._receivers, "http://console", self._clock) for _ in range(self._schedulers)
        ]

    def subscribe(self, name: str, definition: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            subscriptions.put(connection, [(name, definition)], by="me")

    def begin(self, row: IncidentRow, now: datetime) -> None:
        left_out = ("told", "opened_at")
        values = {k: getattr(row, k) for k in row.__dataclass_fields__ if k not in left_out}
        with self._engine.begin() as connection:
            connection.execute(text("SELECT setval(pg_get_serial_sequence('incident', 'id'), 1000)"))
            connection.execute(insert(incident).values(**values))
            self._tell(connection, row.id, "pending" if row.is_pending else "opened", now)

    def change(self, number: int, transition: Transition | None, now: datetime, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(incident).where(incident.c.id == number).values(**values))
            if transition:
                self._tell(connection, number, transition, now)

    def _tell(self, connection: Any, number: int, transition: Transition, now: datetime) -> None:
        detector_states.lock(connection)
        tell(
            connection,
            {number: [transition]},
            self._receivers,
            console_url="http://console",
            actor="detector",
            now=now,
        )

    def mute(self, matchers: Sequence[str], now: datetime, until: datetime) -> None:
        with self._engine.begin() as connection:
            silence(connection, matchers, starts_at=now, ends_at=until, by="me", comment="")

    def look(self, now: datetime) -> list[tuple[str, str, tuple[int, ...]]]:
        self._clock.at = now
        for job in self.jobs:
            job(lambda: False)
        return self._news()

    def _news(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Of the history and of the outbox, which have to agree."""
        with self._engine.connect() as connection:
            events = connection.execute(
                select(incident_event)
                .where(incident_event.c.transition == "told", incident_event.c.id > self._seen_events)
                .order_by(incident_event.c.id)
            ).all()
            made = connection.execute(
                select(notification).where(notification.c.number > self._seen_messages).order_by("number")
            ).all()
        told: dict[tuple[str, str], list[int]] = {}
        for event in events:
            self._seen_events = event.id
            for receiver in event.detail["receivers"]:
                told.setdefault((receiver, event.detail["kind"]), []).append(event.incident_id)
        digests = []
        for message in made:
            self._seen_messages = message.number
            if "digest" in message.payload and message.payload["digest"]["kind"] != "held":
                digests.append((message.receiver, message.payload["digest"]["kind"], _ids(message.payload)))
        return [(receiver, kind, tuple(sorted(ids))) for (receiver, kind), ids in told.items()] + digests


def _ids(payload: dict[str, Any]) -> tuple[int, ...]:
    return tuple(sorted(int(one["generatorURL"].rsplit("/", 1)[1]) for one in payload["alerts"]))


@dataclass(frozen=True)
class Moment:
    """Something that happens at a time; every method returns nothing and is played by `Timeline.check`."""

    story: "Timeline"
    at: datetime

    def fires(self, number: int, severity: str = "warning", *, pending: bool = False, **labels: str) -> None:
        made = replace(row(number, self.at, labels, severity), is_pending=pending)
        self._do(lambda world: world.begin(made, self.at))

    def holds(self, number: int) -> None:
        self._change(number, "opened", is_pending=False)

    def grows(self, number: int, score: float = 9.0, **values: Any) -> None:
        self._change(number, "escalated", score=score, notified_score=score, **values)

    def ends(self, number: int) -> None:
        self._change(number, "resolved", status="resolved", ends_at=self.at)

    def again(self, number: int) -> None:
        self._change(number, "reopened", status="firing", ends_at=None)

    def is_acknowledged(self, number: int, by: str = "王芳") -> None:
        self._change(number, None, acknowledged_at=self.at, acknowledged_by=by)

    def is_handed_back(self, number: int) -> None:
        self._change(number, None, acknowledged_at=None, acknowledged_by=None)

    def is_closed(self, number: int, score: float = 8.0) -> None:
        self._change(number, None, closed_at=self.at, closed_by="me", closed_score=score)

    def is_muted(self, *matchers: str, until: str) -> None:
        ends = self.story.time(until)
        self._do(lambda world: world.mute(matchers, self.at, ends))

    def restarts(self) -> None:
        self._do(lambda world: world.restart())

    def _change(self, number: int, transition: Transition | None, **values: Any) -> None:
        self._do(lambda world: world.change(number, transition, self.at, **values))

    def _do(self, action: Callable[[World], None]) -> None:
        self.story.actions.append((self.at, action))


class Timeline:
    """One story; `at` and `expect` take local times: `22:10` of the first day, `+1 07:00` of the next one."""

    def __init__(self, start: str, *, zone: str = "Asia/Shanghai", receivers: Sequence[str] = ("desk",)) -> None:
        self._zone = ZoneInfo(zone)
        self._start = datetime.fromisoformat(start).replace(tzinfo=self._zone)
        self.receivers = receivers
        self.actions: list[tuple[datetime, Callable[[World], None]]] = []
        self._subscriptions: dict[str, dict[str, Any]] = {}
        self._expected: list[Sent] = []

    def time(self, when: str) -> datetime:
        days, _, clock = when.rpartition(" ")
        day = self._start.date() + timedelta(days=int(days or 0))
        hour, minute = clock.split(":")
        return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=self._zone).astimezone(UTC)

    def subscription(self, name: str, **definition: Any) -> None:
        """Whose `wait` is 0 unless it says otherwise."""
        self._subscriptions[name] = {"wait": "0", **definition}

    def at(self, when: str) -> Moment:
        return Moment(self, self.time(when))

    def expect(self, when: str, receiver: str, kind: str, *incidents: int) -> None:
        self._expected.append((self._told(self.time(when)), receiver, kind, tuple(sorted(incidents))))

    def check(self, world: World | None = None, *, until: str = "+1 12:00", every: timedelta = MINUTE) -> None:
        """Plays the story; everything that is told has to be expected, at its minute, and the other way round.

        Args:
            every: between two looks; what happens is looked at at once, too.
        """
        world = world or Memory(self.receivers)
        for name, definition in self._subscriptions.items():
            world.subscribe(name, definition)
        end, at = self.time(until), self._start.astimezone(UTC)
        moments = {at + nth * every for nth in range(int((end - at) / every) + 1)}
        moments |= {when for when, _ in self.actions}
        sent: list[Sent] = []
        for moment in sorted(moments):
            for when, action in self.actions:
                if when == moment:
                    action(world)
            sent += [(self._told(moment), *one) for one in world.look(moment)]
        missing = sorted((Counter(self._expected) - Counter(sent)).elements())
        unexpected = sorted((Counter(sent) - Counter(self._expected)).elements())
        if missing or unexpected:
            raise AssertionError(f"not told: {missing}; told and not expected: {unexpected}")

    def _told(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%m-%d %H:%M")
