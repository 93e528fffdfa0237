"""The built-in alert on dead letters: a crawler that writes what nobody can store is told of like any surge.

Judged by the records' own Kafka time, minute by minute, and each minute once: the cursor lives beside those of the
detector. So an old backlog fires when its minutes are settled and never again, and the number of workers and the
pace of their catching up change nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from alerts.detection.lifecycle import Transition
from alerts.detection.rules import DEAD_LETTER_ALERT, fingerprint
from alerts.rendering import messages
from alerts.telling import Receiver, tell
from core.metrics import DEAD_LETTER_SHARE, INCIDENTS
from core.records import Severity
from core.windows import MINUTE, floor_to
from storage import dead_letter_counts, detector_states, incidents
from storage.dead_letter_counts import Fates

ACTOR = RULE = "dead-letters"
CRITICAL_SHARE = 0.25  # of all records
CALMER = 0.5  # a window is calm below this part of the limits, so that one that wavers around them stays one incident
USUAL = timedelta(days=1)  # before the incident; what is usual is read there
FIRST_LOOK = timedelta(days=1)  # so far back the first run of all judges
REASONS: Mapping[Transition, str] = {
    "opened": "the share of dead letters rose above its limit",
    "escalated": "a quarter of all records or more",
    "resolved": "calm for as long as a window",
}
MOST_MINUTES = 7 * 24 * 60  # in one run; the rest of a long catch-up is left to the next ones


@dataclass(frozen=True, slots=True)
class DeadLetterOptions:
    """When dead letters are too many.

    Attributes:
        window: judged together, ending with each minute.
        share: of all records in the window, at least.
        min_records: dead letters in the window, at least.
    """

    window: timedelta
    share: float
    min_records: int

    def is_high(self, window: "Window") -> bool:
        return window.dead_lettered >= self.min_records and window.share >= self.share

    def is_calm(self, window: "Window") -> bool:
        return window.dead_lettered < CALMER * self.min_records or window.share < CALMER * self.share


@dataclass(frozen=True, slots=True)
class Window:
    """The records of the minutes before `ends_at`; `first_at` is the first minute in it with a dead letter."""

    ends_at: datetime
    records: int
    dead_lettered: int
    first_at: datetime

    @property
    def share(self) -> float:
        return self.dead_lettered / self.records if self.records else 0.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """An incident of dead letters.

    Attributes:
        peak: its window of the highest share.
        usual_share: that of the day before it.
        id: None until it is in SQL.
    """

    starts_at: datetime
    detected_at: datetime
    last_fired_at: datetime
    peak: Window
    severity: Severity
    is_over: bool = False
    usual_share: float = 0.0
    id: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What is kept beside the cursor."""

    alarm: Alarm | None = None


Step = tuple[Transition, Alarm]


def windows(
    minutes: Mapping[datetime, Fates], after: datetime, until: datetime, length: timedelta
) -> Iterator[Window]:
    """The window ending with each minute of (after, until]; `minutes` reach `length` further back."""
    held: deque[tuple[datetime, Fates]] = deque(
        (at, fates) for at, fates in sorted(minutes.items()) if after - length <= at < after
    )
    records, dead = sum(f.records for _, f in held), sum(f.dead_lettered for _, f in held)
    at = after
    while at < until:
        if fates := minutes.get(at):
            held.append((at, fates))
            records, dead = records + fates.records, dead + fates.dead_lettered
        at += MINUTE
        while held and held[0][0] < at - length:
            _, gone = held.popleft()
            records, dead = records - gone.records, dead - gone.dead_lettered
        first = next((minute for minute, fates in held if fates.dead_lettered), at - length)
        yield Window(at, records, dead, first)


def advance(alarm: Alarm | None, window: Window, options: DeadLetterOptions) -> Step | None:
    """What one more window makes of the alarm that fires (None: none does). Pure.

    An alarm is over when windows have been calm for a window's length, so that no record counts twice for it.
    """
    if alarm is None:
        if not options.is_high(window):
            return None
        severity: Severity = "critical" if window.share >= CRITICAL_SHARE else "warning"
        return "opened", Alarm(window.first_at, window.ends_at, window.ends_at, window, severity)
    if options.is_calm(window):
        is_over = window.ends_at - alarm.last_fired_at >= options.window
        return ("resolved", replace(alarm, is_over=True)) if is_over else None
    fired = replace(alarm, last_fired_at=window.ends_at)
    if window.share > alarm.peak.share and options.is_high(window):
        fired = replace(fired, peak=window)
    if fired.severity == "warning" and fired.peak.share >= CRITICAL_SHARE:
        return "escalated", replace(fired, severity="critical")
    return "updated", fired


@dataclass(frozen=True, slots=True)
class DeadLetterWatch:
    """Judges one raw topic and tells of it.

    Attributes:
        examine: the reasons and examples that go into the evidence, read when an incident is told.
    """

    topic: str
    options: DeadLetterOptions
    receivers: Sequence[Receiver]
    console_url: str
    examine: Callable[[], dict[str, Any]]

    @property
    def labels(self) -> dict[str, str]:
        return {"alertname": DEAD_LETTER_ALERT, "rule": RULE, "kafka_topic": self.topic}

    def run(self, connection: Connection, settled: datetime, *, now: datetime) -> Counter[str]:
        """Judge every minute that has been settled since the last run, in the caller's transaction.

        Args:
            settled: every record from before this Kafka time is in the ledger
            (`alerts.detection.watermark.settled_until`). now: the wall clock, for silences and the outbox.
        """
        detector_states.lock(connection)
        cursor = f"dead-letters|{self.topic}"
        until, kept = floor_to(settled, MINUTE), detector_states.load(connection, [cursor]).get(cursor)
        after = kept.cursor_at if kept else until - FIRST_LOOK
        until = min(until, after + MOST_MINUTES * MINUTE)
        if until <= after:
            return Counter()
        state = msgspec.convert(kept.state, State) if kept else State()
        changes: dict[int, list[Transition]] = {}
        state = State(self._judge(connection, state.alarm, after, until, changes))
        detector_states.save(connection, until, {cursor: msgspec.to_builtins(state)})
        tell(connection, changes, self.receivers, console_url=self.console_url, actor=ACTOR, now=now)
        made: Counter[str] = Counter(transition for of_one in changes.values() for transition in of_one)
        for transition, times in made.items():
            INCIDENTS.labels(transition).inc(times)
        return made

    def _judge(
        self,
        connection: Connection,
        alarm: Alarm | None,
        after: datetime,
        until: datetime,
        changes: dict[int, list[Transition]],
    ) -> Alarm | None:
        """Fold the minutes, write what changes; returns the alarm that still fires."""
        minutes = dead_letter_counts.by_minute(connection, self.topic, after - self.options.window, until)
        is_newer_than_sql = False
        for window in windows(minutes, after, until, self.options.window):
            DEAD_LETTER_SHARE.set(window.share)
            step = advance(alarm, window, self.options)
            if step is None:
                continue
            transition, alarm = step
            is_newer_than_sql = transition == "updated"
            if not is_newer_than_sql:
                alarm = self._write(connection, transition, alarm)
                changes.setdefault(alarm.id or 0, []).append(transition)
                alarm = None if alarm.is_over else alarm
        return self._write(connection, "updated", alarm) if alarm and is_newer_than_sql else alarm

    def _write(self, connection: Connection, transition: Transition, alarm: Alarm) -> Alarm:
        """Bring the incident's row, its history and its evidence in line with the alarm."""
        if alarm.id is None:
            usual = dead_letter_counts.total(connection, self.topic, alarm.starts_at - USUAL, alarm.starts_at)
            alarm = replace(alarm, usual_share=usual.dead_lettered / usual.records if usual.records else 0.0)
            made = incidents.open_incident(
                connection,
                fingerprint=fingerprint(self.labels),
                rule=RULE,
                labels=self.labels,
                status="firing",
                starts_at=alarm.starts_at,
                detected_at=alarm.detected_at,
                notified_score=self._score(alarm),
                **self._figures(alarm),
            )
            alarm = replace(alarm, id=made)
        else:
            told = {"notified_score": self._score(alarm)} if transition == "escalated" else {}
            end = {"status": "resolved", "ends_at": alarm.last_fired_at} if alarm.is_over else {}
            incidents.change(connection, alarm.id, **self._figures(alarm), **told, **end)
        if alarm.id is not None and transition != "updated":
            incidents.add_event(connection, alarm.id, transition, actor=ACTOR, detail={"reason": REASONS[transition]})
            if transition != "resolved":
                incidents.freeze_evidence(connection, alarm.id, self._evidence(alarm))
        return alarm

    def _score(self, alarm: Alarm) -> float:
        """How many times the limit."""
        return alarm.peak.share / self.options.share

    def _figures(self, alarm: Alarm) -> dict[str, Any]:
        peak = alarm.peak
        return {
            "severity": alarm.severity,
            "last_fired_at": alarm.last_fired_at,
            "observed": float(peak.dead_lettered),
            "expected": alarm.usual_share * peak.records,
            "score": self._score(alarm),
            "annotations": messages.dead_letter_annotations(
                self.labels,
                dead_lettered=peak.dead_lettered,
                minutes=round(self.options.window / MINUTE),
                share=peak.share,
                usual_share=alarm.usual_share,
            ),
        }

    def _evidence(self, alarm: Alarm) -> dict[str, Any]:
        peak = alarm.peak
        return {
            "since": alarm.starts_at.isoformat(),
            "window_starts_at": (peak.ends_at - self.options.window).isoformat(),
            "window_ends_at": peak.ends_at.isoformat(),
            "observed": peak.dead_lettered,
            "expected": round(alarm.usual_share * peak.records, 2),
            "records_in_window": peak.records,
            "share": round(peak.share, 4),
            "usual_share": round(alarm.usual_share, 4),
            "score": round(self._score(alarm), 2),
            "drivers": {},
            "documents": [],
            **self.examine(),
        }
