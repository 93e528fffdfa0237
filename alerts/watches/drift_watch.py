"""Slow drifts as incidents for digests: every series of every rule, once a local day. Never told by themselves.

A day is judged when event time has left it for good (`correction` past midnight), so any schedule of runs comes to
the same incidents. Days that were missed are made up for, one after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.detection import drift
from alerts.detection.drift import BEFORE, WEEK, Drift
from alerts.detection.lifecycle import Transition
from alerts.detection.rules import DRIFT_ALERT, Rule, fingerprint
from alerts.rendering import messages
from storage import detector_states, incidents, model_switches
from storage.daily_shares import daily_shares, first_minute
from storage.incidents import IncidentRow

ACTOR: Final = "drift"
DAYS: Final = BEFORE + WEEK
MOST_DAYS: Final = 92  # in one run; the rest of a long catch-up is left to the next ones

Changes = dict[int, set[Transition]]


@dataclass(frozen=True, slots=True)
class DriftWatch:
    """Judges the days of a time zone."""

    rules: Sequence[Rule]
    zone: ZoneInfo

    def run(self, connection: Connection, settled: datetime) -> Changes:
        """Judge every day that has ended before `settled` and was not judged yet; what happened to incidents."""
        name = f"drift|{self.zone.key}"
        kept = detector_states.load(connection, [name]).get(name)
        last = settled.astimezone(self.zone).date()  # judged are the days before it
        if kept is not None and kept.cursor_at >= _midnight(last, self.zone):
            return {}
        first = kept.cursor_at.astimezone(self.zone).date() if kept else self._first(connection)
        if first is None:
            return {}
        end = min(last, first + timedelta(days=MOST_DAYS))
        changes: Changes = {}
        if end > first:
            for rule in self.rules:
                if not rule.is_enabled or rule.counted != "negative":
                    continue
                self._judge(connection, rule, first, end, changes)
            detector_states.save(connection, _midnight(end, self.zone), {name: {}})
        return changes

    def _first(self, connection: Connection) -> date | None:
        """The first day that has enough behind it."""
        oldest = first_minute(connection)
        return oldest.astimezone(self.zone).date() + timedelta(days=WEEK + drift.FEWEST_DAYS - 1) if oldest else None

    def _judge(self, connection: Connection, rule: Rule, first: date, end: date, changes: Changes) -> None:
        """Carry the incidents of a rule through the days [first, end)."""
        groups = daily_shares(
            connection,
            rule.group_by,
            _midnight(first - timedelta(days=DAYS - 1), self.zone),
            _midnight(end, self.zone),
            zone=self.zone.key,
            factors=model_switches.factors(connection),
            where=dict(rule.where),
        )
        firing = {
            row.fingerprint: row
            for row in incidents.firing_of_rule(connection, rule.name)
            if row.labels["alertname"] == DRIFT_ALERT
        }
        for key, group in sorted(groups.items()):
            labels = rule.labels(key) | {"alertname": DRIFT_ALERT}
            one = _Series(connection, rule, labels, firing.get(fingerprint(labels)), changes)
            for day in _days(first, end):
                of_days = [group.days.get(day - timedelta(days=n), (0.0, 0)) for n in reversed(range(DAYS))]
                one.advance(drift.judge(of_days), _midnight(day + timedelta(days=1), self.zone))


@dataclass
class _Series:
    """One series' incident, day by day."""

    connection: Connection
    rule: Rule
    labels: dict[str, str]
    firing: IncidentRow | None
    changes: Changes

    def advance(self, found: Drift | None, at: datetime) -> None:
        """Open, keep up or resolve it.

        Args:
            at: end of the day.
        """
        if self.firing is None:
            if found is not None and found.is_firing:
                self._open(found, at)
        elif found is None or found.is_calm:
            incidents.change(self.connection, self.firing.id, status="resolved", ends_at=at)
            self._event("resolved", "the share of the week is usual again")
            self.firing = None
        else:
            incidents.change(self.connection, self.firing.id, last_fired_at=at, **self._figures(found))

    def _open(self, found: Drift, at: datetime) -> None:
        incident_id = incidents.open_incident(
            self.connection,
            fingerprint=fingerprint(self.labels),
            rule=self.rule.name,
            labels=self.labels,
            severity="info",
            status="firing",
            starts_at=at - timedelta(days=WEEK),
            detected_at=at,
            last_fired_at=at,
            notified_score=found.score,
            **self._figures(found),
        )
        [self.firing] = incidents.by_ids(self.connection, [incident_id])
        incidents.freeze_evidence(self.connection, incident_id, self._evidence(found, at))
        self._event("opened", "the share of seven days is above that of the 28 before")

    def _event(self, transition: Transition, reason: str) -> None:
        if self.firing is not None:
            self.changes.setdefault(self.firing.id, set()).add(transition)
            incidents.add_event(self.connection, self.firing.id, transition, actor=ACTOR, detail={"reason": reason})

    def _figures(self, found: Drift) -> dict[str, Any]:
        zh, en = messages.subject(self.labels)
        in_zh = f"{zh}：近 7 天负面占比 {found.share:.1%}，此前 28 天 {found.usual_share:.1%}"
        in_en = f"{en}: {found.share:.1%} negative in 7 days, {found.usual_share:.1%} in the 28 before"
        return {
            "observed": found.negatives,
            "expected": found.expected,
            "score": found.score,
            "annotations": {
                "summary": f"{in_zh} / {in_en}",
                "summary_zh": in_zh,
                "summary_en": in_en,
                "share": f"{found.share:.1%}",
                "usual_share": f"{found.usual_share:.1%}",
            },
        }

    def _evidence(self, found: Drift, at: datetime) -> dict[str, Any]:
        start = at - timedelta(days=WEEK)
        return {
            "since": start.isoformat(),
            "window_starts_at": start.isoformat(),
            "window_ends_at": at.isoformat(),
            "observed": round(found.negatives, 2),
            "expected": round(found.expected, 2),
            "documents_in_window": found.documents,
            "share": round(found.share, 4),
            "usual_share": round(found.usual_share, 4),
            "score": round(found.score, 2),
            "drivers": {},
            "documents": [],
        }


def _days(first: date, end: date) -> Iterator[date]:
    for nth in range((end - first).days):
        yield first + timedelta(days=nth)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Where a day of the zone begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
