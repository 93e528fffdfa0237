"""The built-in watch over sources: one that falls silent is told of by itself, and never read as fewer negatives.

Each run looks how far every source has come, judges it (`alerts.watches.source_health`), and brings incidents and
`source_silence` in line. The detector leaves silences out (`alerts.detection.timeline.walk`). When all or most
sources are overdue at once, that is one incident of its own instead of one for each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log10
from typing import Any

from sqlalchemy import Connection

from alerts.detection.lifecycle import Transition
from alerts.detection.rules import SOURCE_ALERT, SOURCE_OUTAGE_ALERT, fingerprint
from alerts.rendering import messages
from alerts.rendering.excerpts import excerpt
from alerts.telling import Receiver, tell
from alerts.watches import source_health
from alerts.watches.source_health import GAPS_KEPT, MEMORY, HealthOptions, expected_between
from core.metrics import INCIDENTS, SOURCE_STATES, SOURCES
from core.records import Severity
from core.windows import MINUTE
from storage import detector_states, incidents, sources
from storage.incidents import IncidentRow
from storage.sources import ALL_SOURCES, SourceRow

ACTOR = RULE = "source-health"
LEARN_EVERY = timedelta(hours=6)
LEARNED_AT_ONCE = 50  # sources in one run; the others come next
SMALLEST_CHANCE = 1e-37  # of PostgreSQL's real; beyond it nobody looks
OVERDUE = ("late", "silent")
SHOWN_SOURCES = 50
SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What the scheduler sees at one moment.

    Attributes:
        newest: by source, the minute of its newest document.
        settled: everything produced before has been stored.
        previous: when it looked last, if that was just before; None: pauses cannot be measured.
        now: the wall clock.
    """

    newest: Mapping[str, datetime]
    settled: datetime
    previous: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """An incident that should be firing now.

    Attributes:
        since: the minute after the last document.
        names: the sources that it is about.
    """

    labels: dict[str, str]
    severity: Severity
    since: datetime
    expected: float
    chance: float
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class SourceWatch:
    """Judges all sources and tells of those that are overdue."""

    options: HealthOptions
    receivers: Sequence[Receiver]
    console_url: str

    def run(self, connection: Connection, look: Look) -> Counter[str]:
        """One look, in the caller's transaction; returns the transitions of incidents."""
        detector_states.lock(connection)
        before = sources.load(connection)
        rows = {name: self._advanced(connection, before.get(name), name, look) for name in look.newest}
        self._learn(connection, rows, look)
        if rows:
            rows[ALL_SOURCES] = self._together(before.get(ALL_SOURCES), rows, look)
        rows = {name: self._judged(row, look) for name, row in rows.items()}
        sources.save(connection, [row for name, row in rows.items() if row != before.get(name)])
        self._note_silences(connection, before, rows)
        counted: Counter[str] = Counter(row.state for name, row in rows.items() if name != ALL_SOURCES)
        for state in SOURCE_STATES:
            SOURCES.labels(state).set(counted[state])
        changes = self._bring_in_line(connection, rows, look)
        tell(connection, changes, self.receivers, console_url=self.console_url, actor=ACTOR, now=look.now)
        made: Counter[str] = Counter(transition for of_one in changes.values() for transition in of_one)
        for transition, times in made.items():
            INCIDENTS.labels(transition).inc(times)
        return made

    def _advanced(self, connection: Connection, row: SourceRow | None, name: str, look: Look) -> SourceRow:
        """What is known of a source, with what it has brought since the last look."""
        newest = look.newest[name]
        if row is not None:
            return self._moved(row, newest, look)
        first = sources.first_minute(connection, name) or newest
        return SourceRow(name, first, newest, seen_at=look.now, state_since=look.now)

    def _moved(self, row: SourceRow, newest: datetime, look: Look) -> SourceRow:
        """After a pause; how long it was is known only if the look before was just before."""
        if newest <= row.last_at:
            return row
        gaps = row.gaps
        if look.previous is not None and row.expected is not None:
            pause = expected_between(row.expected, row.last_at, look.settled, self.options.zone)
            gaps = [*gaps, pause][-GAPS_KEPT:]
        live_since = row.live_since or (look.now if look.previous is not None else None)
        return replace(row, last_at=newest, seen_at=look.now, live_since=live_since, gaps=gaps)

    def _learn(self, connection: Connection, rows: dict[str, SourceRow], look: Look) -> None:
        """What is usual of the sources whose turn it is, those first that have waited longest."""
        due = [
            row
            for row in rows.values()
            if (row.learned_at is None or look.now - row.learned_at >= LEARN_EVERY)
            and look.now - row.last_at < self.options.forgotten
        ]
        for row in sorted(due, key=lambda one: (one.learned_at is not None, one.learned_at or one.last_at))[
            :LEARNED_AT_ONCE
        ]:
            counts = sources.hourly_counts(connection, row.name, row.last_at - MEMORY - LEARN_EVERY, row.last_at)
            expected = source_health.learn(counts, row.first_at, row.last_at, self.options.zone)
            rows[row.name] = replace(row, expected=expected, learned_at=look.now)

    def _together(self, row: SourceRow | None, rows: Mapping[str, SourceRow], look: Look) -> SourceRow:
        """All sources as if they were one: a total outage shows there first."""
        newest = max(one.last_at for one in rows.values())
        if row is None:
            first = min(one.first_at for one in rows.values())
            row = SourceRow(ALL_SOURCES, first, newest, seen_at=look.now, state_since=look.now)
        row = self._moved(row, newest, look)
        known = [
            one.expected
            for one in rows.values()
            if one.expected is not None and source_health.is_judged(one, look.settled, self.options)
        ]
        expected = [sum(rates) for rates in zip(*known, strict=True)] if known else None
        return replace(row, expected=expected)

    def _judged(self, row: SourceRow, look: Look) -> SourceRow:
        state, chance = source_health.judge(row, look.settled, self.options)
        chance = None if chance is None else float(f"{max(chance, SMALLEST_CHANCE):.1e}")  # written only if it moves
        since = row.state_since
        if state != row.state and not (state in OVERDUE and row.state in OVERDUE):
            since = row.last_at + MINUTE if state in OVERDUE else look.now
        return replace(row, state=state, chance=chance, state_since=since)

    def _note_silences(
        self, connection: Connection, before: Mapping[str, SourceRow], rows: Mapping[str, SourceRow]
    ) -> None:
        starts, ends = {}, {}
        for name, row in rows.items():
            was_overdue = name in before and before[name].state in OVERDUE
            if row.state in OVERDUE and not was_overdue:
                starts[name] = row.last_at + MINUTE
            elif row.state in ("new", "ok") and name in before and row.last_at > before[name].last_at:
                ends[name] = row.last_at
        sources.note_silences(connection, starts, ends)

    def _bring_in_line(
        self, connection: Connection, rows: Mapping[str, SourceRow], look: Look
    ) -> dict[int, list[Transition]]:
        """Open, raise and resolve incidents."""
        firing = {row.fingerprint: row for row in incidents.firing_of_rule(connection, RULE)}
        notices = {fingerprint(one.labels): one for one in self._notices(rows, look, frozenset(firing))}
        changes: dict[int, list[Transition]] = {}
        for print_, notice in notices.items():
            known = firing.get(print_)
            transition: Transition = (
                "opened"
                if known is None
                else "escalated"
                if (known.severity, notice.severity) == ("warning", "critical")
                else "updated"
            )
            changes[self._write(connection, known, notice, transition, look)] = [transition]
        for print_, known in firing.items():
            if print_ not in notices:
                changes[known.id] = ["resolved"]
                self._resolve(connection, known, rows, look)
        return changes

    def _notices(self, rows: Mapping[str, SourceRow], look: Look, firing: frozenset[str]) -> list[Notice]:
        single = {name: row for name, row in rows.items() if name != ALL_SOURCES}
        overdue = {name: row for name, row in single.items() if row.state in OVERDUE}
        together = rows.get(ALL_SOURCES)
        is_total = together is not None and together.state in OVERDUE
        audible = {name: row for name, row in overdue.items() if not _is_muted(row, look.now)}
        notices = [self._notice(name, row, look) for name, row in audible.items()]
        if not (is_total or source_health.is_outage([row.state for row in single.values()])):
            return notices
        if not audible and not is_total:
            return notices
        since = together.last_at + MINUTE if together and is_total else min(row.last_at for row in audible.values())
        expected = sum(one.expected for one in notices)
        chance = min([row.chance or 1.0 for row in (together, *overdue.values()) if row], default=1.0)
        labels = {"alertname": SOURCE_OUTAGE_ALERT, "rule": RULE}
        outage = Notice(labels, "critical", since, expected, chance, sorted(overdue))
        return [outage, *(one for one in notices if fingerprint(one.labels) in firing)]

    def _notice(self, name: str, row: SourceRow, look: Look) -> Notice:
        labels = {"alertname": SOURCE_ALERT, "rule": RULE, "source": name}
        expected = expected_between(row.expected or [], row.last_at, look.settled, self.options.zone)
        severity: Severity = "critical" if row.state == "silent" else "warning"
        return Notice(labels, severity, row.last_at + MINUTE, expected, row.chance or SMALLEST_CHANCE, [name])

    def _write(
        self, connection: Connection, known: IncidentRow | None, notice: Notice, transition: Transition, look: Look
    ) -> int:
        score = -log10(notice.chance)
        figures: dict[str, Any] = {
            "severity": notice.severity if known is None or known.severity == "warning" else known.severity,
            "last_fired_at": look.settled,
            "observed": 0.0,
            "expected": notice.expected,
            "score": score,
            "annotations": messages.source_annotations(
                notice.labels,
                names=notice.names,
                minutes=round((look.settled - notice.since) / MINUTE),
                expected=notice.expected,
            ),
        }
        if transition != "updated":
            figures["notified_score"] = score
        if known is None:
            incident_id = incidents.open_incident(
                connection,
                fingerprint=fingerprint(notice.labels),
                rule=RULE,
                labels=notice.labels,
                status="firing",
                starts_at=notice.since,
                detected_at=look.settled,
                **figures,
            )
        else:
            incident_id = known.id
            incidents.change(connection, incident_id, **figures)
        if transition != "updated":
            reason = f"nothing for longer than chance explains ({notice.chance:.1e})"
            incidents.add_event(connection, incident_id, transition, actor=ACTOR, detail={"reason": reason})
            incidents.freeze_evidence(connection, incident_id, self._evidence(notice, look))
        return incident_id

    def _evidence(self, notice: Notice, look: Look) -> dict[str, Any]:
        return {
            "since": notice.since.isoformat(),
            "window_starts_at": notice.since.isoformat(),
            "window_ends_at": look.settled.isoformat(),
            "observed": 0,
            "expected": round(notice.expected, 2),
            "score": round(-log10(notice.chance), 2),
            "chance": notice.chance,
            "sources": [excerpt(name, SHOWN_CHARS) for name in notice.names[:SHOWN_SOURCES]],
            "drivers": {},
            "documents": [],
        }

    def _resolve(self, connection: Connection, known: IncidentRow, rows: Mapping[str, SourceRow], look: Look) -> None:
        row = rows.get(known.labels.get("source", ALL_SOURCES))
        if row is not None and row.state == "ended":
            reason = f"nothing for {self.options.forgotten.days} days: taken as ended"
        elif row is not None and _is_muted(row, look.now):
            reason = "muted"
        else:
            reason = "documents come again"
        back_at = row.last_at if row is not None and row.last_at > known.starts_at else look.settled
        incidents.change(connection, known.id, status="resolved", ends_at=back_at)
        incidents.add_event(connection, known.id, "resolved", actor=ACTOR, detail={"reason": reason})


def _is_muted(row: SourceRow, now: datetime) -> bool:
    return row.muted_until is not None and row.muted_until > now
